// Charts of the figure pages, drawn as SVG in the page's own colours.
const data = JSON.parse(document.getElementById("chart-data").textContent);
const style = getComputedStyle(document.documentElement);
const colour = (name) => style.getPropertyValue(`--${name}`).trim();
const ink = colour("muted");
const per = (value) => (value === null || value === undefined ? "–" : `${(value * 100).toFixed(1)}%`);
const TARGET = 0.95;

const axis = { axisLine: { lineStyle: { color: colour("line") } }, axisLabel: { color: ink }, splitLine: { lineStyle: { color: colour("line") } } };
const base = {
  animation: false,
  aria: { enabled: true },
  textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
  grid: { left: 8, right: 12, top: 34, bottom: 6, containLabel: true },
  legend: { top: 0, textStyle: { color: ink } },
  tooltip: { trigger: "axis", renderMode: "richText", confine: true },
};
const line = (name, values, tint, more = {}) => ({ name, type: "line", data: values, itemStyle: { color: tint }, lineStyle: { color: tint, width: 2 }, connectNulls: true, symbolSize: 7, ...more });
const bar = (name, values, tint, more = {}) => ({ name, type: "bar", data: values, itemStyle: { color: tint, borderRadius: 3 }, barMaxWidth: 26, ...more });

const charts = {
  trend: () => ({
    ...base,
    xAxis: { type: "category", data: data.trend.days.map((day) => day.slice(5)), ...axis },
    yAxis: { type: "value", min: (range) => Math.max(0, Math.floor(range.min / 10) * 10 - 10), max: 100, ...axis },
    series: [line(data.words.mine, data.trend.mine, colour("agent")), line(data.words.team, data.trend.team, colour("muted"), { lineStyle: { type: "dashed", color: ink } })],
  }),
  rates: () => ({
    ...base,
    tooltip: { ...base.tooltip, valueFormatter: per },
    xAxis: { type: "value", max: 1, ...axis, axisLabel: { color: ink, formatter: (v) => `${v * 100}%` } },
    yAxis: { type: "category", data: data.rules.names, inverse: true, ...axis },
    series: [bar(data.words.mine, data.rules.mine, colour("agent")), bar(data.words.team, data.rules.team, colour("line"))],
  }),
  hours: () => ({
    ...base,
    xAxis: { type: "category", data: data.hours.names, ...axis },
    yAxis: [
      { type: "value", ...axis, minInterval: 1 },
      { type: "value", max: 1, min: 0, ...axis, splitLine: { show: false }, axisLabel: { color: ink, formatter: (v) => `${v * 100}%` } },
    ],
    series: [
      bar(data.words.calls, data.hours.calls, colour("line")),
      line(data.words.rate, data.hours.rate, colour("agent"), {
        yAxisIndex: 1,
        tooltip: { valueFormatter: per },
        markLine: { silent: true, symbol: "none", data: [{ yAxis: TARGET, name: data.words.target }], lineStyle: { color: colour("fail"), type: "dashed" }, label: { show: false } },
      }),
    ],
  }),
  fails: () => ({
    ...base,
    legend: undefined,
    grid: { ...base.grid, top: 8 },
    xAxis: { type: "value", minInterval: 1, ...axis },
    yAxis: { type: "category", data: data.rules.names, inverse: true, ...axis },
    series: [bar(data.words.fails, data.rules.fails, colour("fail"), { label: { show: true, position: "right", color: ink } })],
  }),
  heat: () => ({
    ...base,
    legend: undefined,
    grid: { ...base.grid, top: 6, bottom: 44 },
    tooltip: { renderMode: "richText", confine: true, formatter: (p) => `${data.weekdays[p.value[1]]} ${p.value[0]}:00\n${data.words.calls} ${p.value[3]}\n${data.words.rate} ${per(p.value[2])}` },
    xAxis: { type: "category", data: Array.from({ length: 24 }, (_, hour) => String(hour)), ...axis },
    yAxis: { type: "category", data: data.weekdays, inverse: true, ...axis },
    visualMap: { min: 0.7, max: 1, dimension: 2, calculable: false, orient: "horizontal", left: "center", bottom: 0, itemWidth: 12, itemHeight: 160, text: ["100%", "≤70%"], textStyle: { color: ink }, inRange: { color: ["#d9534f", "#f2c14e", "#3c9d6b"] } },
    series: [{ type: "heatmap", data: data.heat, label: { show: true, color: "#10181b", formatter: (p) => p.value[3] } }],
  }),
};

const drawn = [...document.querySelectorAll("[data-chart]")].map((box) => {
  const chart = echarts.init(box, null, { renderer: "svg" });
  chart.setOption(charts[box.dataset.chart]());
  return chart;
});
window.addEventListener("resize", () => drawn.forEach((chart) => chart.resize()));
document.body.dataset.charts = String(drawn.length);
