// The texts of a page whose contrast with what is behind them is below 4.5, as WCAG computes it.
(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const luminance = ([red, green, blue]) => {
    const [r, g, b] = [red, green, blue].map((part) => linear(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let each = node; each; each = each.parentElement) {
      const color = rgba(getComputedStyle(each).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255];
  };
  const contrast = (node) => {
    const pair = [luminance(rgba(getComputedStyle(node).color)), luminance(behind(node))].sort((one, other) => other - one);
    return (pair[0] + 0.05) / (pair[1] + 0.05);
  };
  const hasText = (node) => [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim());

  return [...document.querySelectorAll("body *")]
    .filter((node) => hasText(node) && !node.closest(".hidden, noscript, svg, option, [hidden]") && contrast(node) < 4.5)
    .map((node) => `${node.tagName}.${node.className} ${contrast(node).toFixed(2)}: ${node.textContent.slice(0, 30)}`);
})()
