"use strict";
const About = (() => {
  function mount() {}
  function render() {}
  return { mount, render };
})();
