add_test(NAME cli_keys_page COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/keys_page.sh $<TARGET_FILE:mmulab>
                                    ${CMAKE_SOURCE_DIR}/docs/configuration-keys.md)
