"use strict";
const Table = (() => {
  function mount() {}
  function render() {}
  return { mount, render };
})();
