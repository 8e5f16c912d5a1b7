mmulab_fuzz(fuzz_mtr DEPS traces PkgConfig::XXHASH)
mmulab_fuzz(fuzz_tracetext DEPS traces)
