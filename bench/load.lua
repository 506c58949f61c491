-- Pauses between requests where asked to, and tells the result as one line of JSON.
function init(arguments)
   local pause = tonumber(arguments[1] or "0")
   if pause > 0 then
      -- Spread, so that the connections do not march in step.
      delay = function() return math.random(0, 2 * pause) end
   end
end

function done(summary, latency)
   local errors = summary.errors
   local failures = errors.connect + errors.read + errors.write + errors.status + errors.timeout
   print(string.format(
      '{"requests": %d, "bytes": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "failures": %d}',
      summary.requests, summary.bytes, summary.duration / 1e6,
      latency:percentile(50) / 1000, latency:percentile(99) / 1000, failures))
end
