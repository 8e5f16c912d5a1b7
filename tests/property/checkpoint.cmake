mmulab_check(test_checkpoint DEPS oracle app TIMEOUT 300)
