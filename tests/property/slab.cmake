mmulab_check(test_slab_properties DEPS slab TIMEOUT 300)
mmulab_check(test_mempool_vmalloc DEPS slab TIMEOUT 120)
