"use strict";
const Region = (() => {
  return { mount() {}, render() {}, toggle() {}, takeView() {}, paint() {}, draw() {}, lassoing: () => false };
})();
