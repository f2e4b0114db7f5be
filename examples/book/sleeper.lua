-- A member that does nothing, for the lesson on views.
assert(require("corolua").group("tea"):join())
