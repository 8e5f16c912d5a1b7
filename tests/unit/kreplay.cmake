mmulab_check(test_perf DEPS traces)
mmulab_check(test_kreplay DEPS replay TIMEOUT 120)
