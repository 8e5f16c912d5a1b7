mmulab_check(test_pcp_properties DEPS frames TIMEOUT 300)
