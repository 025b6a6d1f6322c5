"use strict";
const FilterPanel = (() => {
  function mount() {}
  function render() {}
  return { mount, render };
})();
