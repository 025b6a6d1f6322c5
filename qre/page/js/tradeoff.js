"use strict";
const TradeOff = (() => {
  function mount() {}
  function render() {}
  return { mount, render };
})();
