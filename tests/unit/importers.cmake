mmulab_check(test_importers DEPS traces)
mmulab_check(test_exporters DEPS traces)
mmulab_check(test_truncation DEPS traces)
