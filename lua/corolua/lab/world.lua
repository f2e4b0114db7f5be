--- What a lab stands on, chosen here and nowhere else. These are the real ones,
--- which meet the machine and may require each other; all other files of the lab
--- have them from this table. A simulation puts one of its own into
--- `package.preload["corolua.lab.world"]` before it loads the lab. It has to offer
--- what is used of them; the real ones say what each takes and gives:
---
---     sandbox: folder, NO_SPACE, enter(nodes), leave(), run_in(space, fn, …)
---     network: build(config), number(space)
---       a network: spaces, switch, set_plugged(id, is_plugged), close()
---       its switch: alive(), apply(cells), clear(), counters(link)
---     daemon: features(), new(id, folder, config, space)
---       a daemon: pid, ended, on_end(is_meant), start(), terminate(), signal(name),
---       is_stopped(), kill(), last_words()
---     process: start(space, command, given, on), run(space, command, given)
---     files: find(program), corolua(), new_path(ending), make_folder(path),
---       copy(from, to), remove(path)

require("corolua.base.needs")("the lab", { "lfs", "lua-filesystem" })

---@class corolua.lab.World
return {
  sandbox = require("corolua.lab.sandbox"),
  network = require("corolua.lab.network"),
  daemon = require("corolua.lab.daemon"),
  process = require("corolua.lab.process"),
  files = require("corolua.lab.files"),
}
