"use strict";
const Panel = (() => {
  function mount() {}
  function render() {}
  return { mount, render };
})();
