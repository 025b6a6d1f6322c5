"use strict";
const Clusters = (() => {
  function mount() {}
  function render() {}
  return { mount, render };
})();
