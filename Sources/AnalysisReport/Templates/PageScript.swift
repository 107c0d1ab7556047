/// The script of the page, which can be read without it.
///
/// It shows numbers beside the pointer and the keyboard's focus, and lets arrow keys move within tables
/// and plots.
enum PageScript {
  static let text = """
    (function () {
      var tip = document.getElementById('tip');
      function show(node, x, y) {
        tip.textContent = node.getAttribute('data-tip'); tip.hidden = false;
        var box = tip.getBoundingClientRect();
        tip.style.left = Math.max(4, Math.min(x + 12, innerWidth - box.width - 4)) + 'px';
        tip.style.top = (y + 18 + box.height > innerHeight ? y - box.height - 10 : y + 18) + 'px';
      }
      function target(event) { return event.target.closest ? event.target.closest('[data-tip]') : null; }
      document.addEventListener('mousemove', function (event) {
        var node = target(event); if (node) show(node, event.clientX, event.clientY); else tip.hidden = true;
      });
      document.addEventListener('focusin', function (event) {
        var node = target(event); if (!node) { tip.hidden = true; return; }
        var box = node.getBoundingClientRect(); show(node, box.left + box.width / 2, box.bottom - 12);
      });
      document.addEventListener('focusout', function () { tip.hidden = true; });
      var groups = document.querySelectorAll('[data-group]');
      Array.prototype.forEach.call(groups, function (group) {
        var nodes = Array.prototype.slice.call(group.querySelectorAll('[data-tip]'));
        nodes.forEach(function (node, index) { node.setAttribute('tabindex', index ? '-1' : '0'); });
        group.addEventListener('keydown', function (event) {
          var at = nodes.indexOf(document.activeElement); if (at < 0) return;
          var width = Number(group.getAttribute('data-group')) || 1;
          var step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: width, ArrowUp: -width }[event.key];
          if (event.key === 'Home') step = -at; if (event.key === 'End') step = nodes.length - 1 - at;
          if (event.key === 'Escape') { tip.hidden = true; return; }
          if (step === undefined) return;
          event.preventDefault();
          var next = nodes[Math.max(0, Math.min(nodes.length - 1, at + step))];
          nodes[at].setAttribute('tabindex', '-1'); next.setAttribute('tabindex', '0'); next.focus();
        });
      });
      addEventListener('beforeprint', function () {
        Array.prototype.forEach.call(document.querySelectorAll('details'), function (node) { node.open = true; });
      });
    })();
    """
}
