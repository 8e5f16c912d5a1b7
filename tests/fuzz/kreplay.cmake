mmulab_fuzz(fuzz_perf DEPS traces)
mmulab_fuzz(fuzz_snapshot DEPS replay)
