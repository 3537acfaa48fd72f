// What of Apache ECharts the page of `layerforge inspect --html` draws with.
export { init } from "echarts/core";
import { use } from "echarts/core";
import { BoxplotChart, CustomChart, TreemapChart } from "echarts/charts";
import { GridComponent, LegendComponent, TooltipComponent } from "echarts/components";
import { CanvasRenderer } from "echarts/renderers";

use([BoxplotChart, CanvasRenderer, CustomChart, GridComponent, LegendComponent, TooltipComponent, TreemapChart]);
