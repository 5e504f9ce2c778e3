-- wrk: each request with the next key of a file; arguments: file with one key per line, body of the requests.
local threads = 0

function setup(thread)
  thread:set("offset", threads * 500)
  threads = threads + 1
end

function init(args)
  requests = {}
  for key in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", nil, {
      ["content-type"] = "application/json",
      ["authorization"] = "Bearer " .. key,
      ["x-portkey-provider"] = "openai",
      ["x-portkey-custom-host"] = args[3],
    }, args[2])
  end
  at = offset
end

function request()
  at = at + 1
  return requests[at % #requests + 1]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '{"requests":%d,"micros":%d,"failed":%d,"broken":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
