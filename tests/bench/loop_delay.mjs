/*
 * loop_delay.mjs - loaded into a gateway with --import: what Node itself says of its event loop and its
 * memory, and what the plugin's host counts. GET /reset at 127.0.0.1:$BENCH_PROBE_PORT begins a span,
 * after a full garbage collection; GET /read ends it and answers in ns and bytes. perf_hooks measures
 * the time between two runs of a timer of RESOLUTION_MS, so that much is there even when nothing else
 * happens.
 */
import http from "node:http";
import { monitorEventLoopDelay } from "node:perf_hooks";
import process from "node:process";
import v8 from "node:v8";
import vm from "node:vm";

const RESOLUTION_MS = 5;

v8.setFlagsFromString("--expose-gc");
const collect = vm.runInNewContext("gc");
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

function read() {
  delay.disable();
  const answer = {
    resolution: RESOLUTION_MS * 1e6, count: delay.count, mean: delay.mean, p50: delay.percentile(50),
    p99: delay.percentile(99), p999: delay.percentile(99.9), max: delay.max,
  };
  collect();
  const engines = globalThis[Symbol.for("clawmedia.openclaw.engines/1")];
  const host = engines && [...engines.values()][0]?.host;
  return { ...answer, ...process.memoryUsage(), own: host?.stats() };
}

if (process.env.BENCH_PROBE_PORT) {
  const server = http.createServer((request, response) => {
    if (request.url === "/reset") {
      collect();
      delay.reset();
      delay.enable();
      response.end("{}");
    } else {
      response.end(JSON.stringify(read()));
    }
  });
  server.on("error", () => {}); // a child of the gateway: the port is the gateway's
  server.listen(Number(process.env.BENCH_PROBE_PORT), "127.0.0.1");
  server.unref();
}
