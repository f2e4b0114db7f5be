-- The functions of corosync's headers that the thin modules do not bind, by
-- reason. What is marked newer is not in every corosync that we build on.
return {
  {
    reason = "initialize calls it: the model with the most to tell is always chosen",
    names = { "cpg_model_initialize", "quorum_model_initialize", "cmap_initialize_map" },
  },
  {
    reason = "initialize calls it where it exists",
    newer = true,
    names = { "votequorum_model_initialize" },
  },
  {
    reason = "iterate stands for the three, and never leaves an iteration open",
    names = {
      "cpg_iteration_initialize", "cpg_iteration_next", "cpg_iteration_finalize",
      "cmap_iter_init", "cmap_iter_next", "cmap_iter_finalize",
    },
  },
  {
    reason = "closures serve: a handler sees what it was made with",
    names = {
      "cpg_context_get", "cpg_context_set",
      "votequorum_context_get", "votequorum_context_set",
      "quorum_context_get", "quorum_context_set",
      "cmap_context_get", "cmap_context_set",
    },
  },
  {
    reason = "newer daemons refuse it to old libraries, newer libraries copy, "
      .. "and a string of Lua is copied in any case",
    names = { "cpg_zcb_alloc", "cpg_zcb_free", "cpg_zcb_mcast_joined" },
  },
}
