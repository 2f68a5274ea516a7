# nixpkgs' library with home-manager's own beside it. Enters: `lib`. Leaves: `lib` with `hm`.
lib: lib // {
  # Of the order only this is known here: linkGeneration, the layer's own entries, reloadSystemd.
  hm.dag.entryBetween = before: after: data: { inherit before after data; };
}
