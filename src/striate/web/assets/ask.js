// The server is asked; what it refuses is an Error with the server's own line.

async function answered(response) {
  const document = await response.json().catch(() => null);
  if (response.ok && document !== null) return document;
  const problem = new Error(document?.error ?? `the server answered ${response.status}`);
  problem.status = response.status;
  throw problem;
}

async function sent(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("the server does not answer; is striate serve still running?");
  }
  return answered(response);
}

export const get = path => sent(path, {});

export const post = (path, document) =>
  sent(path, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(document)});

export const upload = (path, file) =>
  sent(path, {method: "POST", headers: {"Content-Type": "application/octet-stream"}, body: file});

// One request at a time, and of those that come meanwhile only the newest: typing is never behind
// its own past.  `shown` is called with each answer, `failed` with each error.
export function newest(ask, shown, failed) {
  let busy = false, waiting = null;
  async function run(asked) {
    busy = true;
    try {
      const answer = await ask(asked);
      shown(answer, asked);
    } catch (error) {
      failed(error, asked);
    }
    busy = false;
    if (waiting !== null) {
      const next = waiting;
      waiting = null;
      run(next.asked);
    }
  }
  return asked => {
    if (busy) waiting = {asked};
    else run(asked);
  };
}
