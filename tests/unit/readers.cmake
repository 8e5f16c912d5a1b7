mmulab_check(test_readers DEPS traces)
mmulab_check(test_readers_lackey DEPS traces)
mmulab_check(test_readers_recorded DEPS traces TIMEOUT 600)
