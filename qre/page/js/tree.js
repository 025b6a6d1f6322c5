"use strict";
/* The cluster tree: cut into so many clusters, and restricted to some encoders. See contract.py, Tree. */

const Tree = (() => {
  const cuts = new Map(); // of late: clusters -> the cut

  /** The tree cut into `count` clusters, numbered as qre/atlas/clusters.py does: 1 is the largest, ties by the first
   *  encoder. `of[i]`: index into `names`, -1 of an encoder that is not in the tree. */
  function cut(atlas, count) {
    if (cuts.has(count)) return cuts.get(count);
    if (cuts.size > 60) cuts.clear();
    const { leaves, left, right } = atlas.tree; // heights never fall: the merges stand in their order
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
    cuts.set(count, { names: clusters.map((_, k) => `Cluster ${k + 1}`), of, clusters });
    return cuts.get(count);
  }

  /** Where the cut into `count` clusters lies: between the heights of the last merge below and the first above it. */
  function cutHeight(atlas, count) {
    const { leaves, height } = atlas.tree;
    const below = leaves.length - Math.max(1, Math.min(count, leaves.length));
    return { below: height[below - 1] ?? 0, above: height[below] ?? Infinity };
  }

  /** Some encoders only, see ClusterTree.restricted in qre/atlas/clusters.py: two of them merge at the height
   *  where they do in the whole tree. Returns leaves (encoders; those that are not in the tree are left out), left,
   *  right, height and size. */
  function restricted(atlas, encoders) {
    const { leaves, left, right, height } = atlas.tree;
    const wanted = new Set(encoders);
    const stands = new Int32Array(leaves.length + left.length).fill(-1); // node there -> node here
    const kept = [];
    leaves.forEach((encoder, leaf) => {
      if (wanted.has(encoder)) stands[leaf] = kept.push(encoder) - 1;
    });
    const small = { leaves: kept, left: [], right: [], height: [], size: [] };
    const size = kept.map(() => 1);
    for (let j = 0; j < left.length; j += 1) {
      const [a, b] = [stands[left[j]], stands[right[j]]];
      if (a >= 0 && b >= 0) {
        small.left.push(Math.min(a, b));
        small.right.push(Math.max(a, b));
        small.height.push(height[j]);
        stands[leaves.length + j] = size.push(size[a] + size[b]) - 1;
      } else stands[leaves.length + j] = Math.max(a, b);
    }
    small.size = size.slice(kept.length);
    return small;
  }

  /** The leaves of a tree in an order in which its drawing has no crossing lines. */
  function order(tree) {
    const count = tree.leaves.length;
    const [ordered, stack] = [[], count ? [count + tree.left.length - 1] : []];
    while (stack.length) {
      const node = stack.pop();
      if (node < count) ordered.push(node);
      else stack.push(tree.right[node - count], tree.left[node - count]);
    }
    return ordered;
  }

  /** The encoder of each cluster of a cut nearest to the others. At the atlas's own cut it is known; at others it
   *  is the one that is most often among the nearest of the others, then the one that is nearest to them. */
  function central(atlas, cut) {
    const known = cut.clusters.length === atlas.tree.cut ? new Set(atlas.tree.central) : new Set();
    const [times, sum] = [new Int32Array(atlas.count), new Float64Array(atlas.count)];
    for (let i = 0; i < atlas.count; i += 1) {
      if (cut.of[i] < 0) continue;
      for (const { index, distance } of atlas.neighbours(i)) {
        if (cut.of[index] !== cut.of[i]) continue;
        times[index] += 1;
        sum[index] += distance;
      }
    }
    const better = (a, b) => times[a] > times[b] || (times[a] === times[b] && sum[a] < sum[b]);
    return cut.clusters.map(
      (members) => members.find((i) => known.has(i)) ?? members.reduce((best, i) => (better(i, best) ? i : best)),
    );
  }

  return { cut, cutHeight, restricted, order, central };
})();
