mmulab_check(test_mtr DEPS traces TIMEOUT 600)
mmulab_check(test_tracetext DEPS traces TIMEOUT 300)
mmulab_check(test_mtr_input DEPS traces PkgConfig::ZSTD PkgConfig::LZMA PkgConfig::ZLIB BZip2::BZip2 TIMEOUT 300)
