std = "lua54"
max_line_length = 100
cache = false
exclude_files = { "build*", "lua/meta" }
files["spec"] = { std = "lua54+busted" }
