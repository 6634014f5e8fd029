#!/bin/bash
# Takes the portal's front-end from npm packages into portal/static/vendor, with their licences.
# Run by a developer when a version below changes; the result is committed, so that neither a
# build nor a browser ever needs the network.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
vendor=$root/portal/static/vendor
axe=$root/tests/portal/vendor
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$work"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts=false \
  htmx.org@2.0.11 wavesurfer.js@7.12.12 echarts@6.1.0 lucide-static@1.62.0 axe-core@4.14.1 esbuild@0.28.2
rm -rf "$vendor" "$axe"
mkdir -p "$vendor" "$axe"

cp node_modules/htmx.org/dist/htmx.min.js "$vendor/htmx.min.js"
cp node_modules/htmx.org/LICENSE "$vendor/htmx.LICENSE.txt"
cp node_modules/wavesurfer.js/dist/wavesurfer.min.js "$vendor/wavesurfer.min.js"
cp node_modules/wavesurfer.js/dist/plugins/regions.min.js "$vendor/wavesurfer-regions.min.js"
cp node_modules/wavesurfer.js/LICENSE "$vendor/wavesurfer.LICENSE.txt"
cp node_modules/axe-core/axe.min.js "$axe/axe.min.js"
cp node_modules/axe-core/LICENSE "$axe/axe.LICENSE.txt"

# Only the charts that pages use, drawn as SVG.
cat > charts.js <<'JS'
import * as echarts from "echarts/core";
import { BarChart, HeatmapChart, LineChart } from "echarts/charts";
import {
  AriaComponent, GridComponent, LegendComponent, MarkLineComponent, TooltipComponent,
  VisualMapComponent,
} from "echarts/components";
import { SVGRenderer } from "echarts/renderers";
echarts.use([
  BarChart, HeatmapChart, LineChart, AriaComponent, GridComponent, LegendComponent,
  MarkLineComponent, TooltipComponent, VisualMapComponent, SVGRenderer,
]);
window.echarts = echarts;
JS
node_modules/.bin/esbuild charts.js --bundle --minify --format=iife --legal-comments=none \
  --log-level=warning --outfile="$vendor/echarts.min.js"
cat node_modules/echarts/LICENSE node_modules/echarts/NOTICE > "$vendor/echarts.LICENSE.txt"

# One sprite of the icons that pages use.
icons="activity badge-check bar-chart-3 bell check chevron-left chevron-right circle-help clock
  download file-text flag gavel headphones history key-round languages list log-out message-square
  moon pause phone phone-incoming phone-off play repeat scale search settings shield shield-alert
  skip-forward sun triangle-alert user users x"
{
  echo '<svg xmlns="http://www.w3.org/2000/svg">'
  for icon in $icons; do
    file=node_modules/lucide-static/icons/$icon.svg
    [ -f "$file" ] || { echo "no icon $icon" >&2; exit 1; }
    echo "<symbol id=\"$icon\" viewBox=\"0 0 24 24\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\" stroke-linecap=\"round\" stroke-linejoin=\"round\">"
    sed -e '/<!--/d' "$file" | tr '\n' ' ' | sed -e 's/<svg[^>]*>//' -e 's/<\/svg>//'
    echo '</symbol>'
  done
  echo '</svg>'
} > "$vendor/icons.svg"
cp node_modules/lucide-static/LICENSE "$vendor/icons.LICENSE.txt"
ls -l "$vendor" "$axe"
