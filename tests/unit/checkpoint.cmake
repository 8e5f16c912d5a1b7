mmulab_check(test_checkpoint_file DEPS app)
