add_executable(config_main config_main.c ${CMAKE_SOURCE_DIR}/sim/app/cmd_config.c)
target_link_libraries(config_main PRIVATE mmulab_flags config)
target_include_directories(config_main PRIVATE ${CMAKE_SOURCE_DIR}/tests ${CMAKE_SOURCE_DIR}/sim)
add_test(NAME cli_config COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/config.sh $<TARGET_FILE:config_main>)
