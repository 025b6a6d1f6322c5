"use strict";
/* The cluster tree: cut into so many clusters, and restricted to some encoders. See contract.py, Tree. */

const Tree = (() => {
  let cached = { count: null, cut: null };

  /** The tree cut into `count` clusters, numbered as qre/atlas/clusters.py does: 1 is the largest, ties by the first
   *  encoder. `of[i]`: index into `names`, -1 of an encoder that is not in the tree. */
  function cut(atlas, count) {
    if (cached.count === count) return cached.cut;
    const { leaves, left, right } = atlas.tree;
    const wanted = Math.max(1, Math.min(count, leaves.length));
    const root = Int32Array.from({ length: leaves.length + left.length }, (_, node) => node);
    const top = (node) => {
      while (root[node] !== node) node = root[node] = root[root[node]];
      return node;
    };
    for (let j = 0; j < leaves.length - wanted; j += 1) {
      root[top(left[j])] = leaves.length + j;
      root[top(right[j])] = leaves.length + j;
    }
    const members = new Map();
    leaves.forEach((encoder, leaf) => {
      const node = top(leaf);
      if (!members.has(node)) members.set(node, []);
      members.get(node).push(encoder);
    });
    const clusters = [...members.values()].map((found) => found.sort((a, b) => a - b));
    clusters.sort((a, b) => b.length - a.length || a[0] - b[0]);
    const of = new Int32Array(atlas.count).fill(-1);
    clusters.forEach((found, k) => found.forEach((i) => (of[i] = k)));
    cached = { count, cut: { names: clusters.map((_, k) => `Cluster ${k + 1}`), of, clusters } };
    return cached.cut;
  }

  return { cut };
})();
