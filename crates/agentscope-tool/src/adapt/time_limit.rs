use crate::flow::flow;
use agentscope_core::{
    Context, Error, ErrorKind, Reason, Result, Tool, ToolChunk, ToolRequest, ToolSpec, ToolStream,
};
use std::{future::poll_fn, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};

/// How long a tool whose time is over may take to end by itself (2 s, the grace of the agent loop).
const GRACE: Duration = Duration::from_secs(2);

struct TimeLimited {
    inner: Arc<dyn Tool>,
    spec: Arc<ToolSpec>,
    limit: Duration,
}

pub(super) fn limit_time(inner: Arc<dyn Tool>, limit: Duration) -> Arc<dyn Tool> {
    let mut spec = inner.spec();
    let own = spec.timeout_ms.map_or(limit, Duration::from_millis);
    let limit = limit.min(own);
    Arc::make_mut(&mut spec).timeout_ms = Some(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    Arc::new(TimeLimited { inner, spec, limit })
}

impl Tool for TimeLimited {
    fn spec(&self) -> Arc<ToolSpec> {
        Arc::clone(&self.spec)
    }

    fn call(&self, req: ToolRequest, cx: Context) -> ToolStream {
        let stop = cx.interrupt().child();
        let cx = cx.with_interrupt(stop.clone());
        let mut stream = self.inner.call(req, cx.clone());
        let (limit, name) = (self.limit, self.spec.name.clone());
        flow(|emit| async move {
            let end = Instant::now() + limit;
            while let Ok(chunk) = timeout_at(end, next(&mut stream, &cx)).await {
                match chunk {
                    Some(chunk) => emit.send(chunk?).await,
                    None => return Ok(()),
                }
            }
            stop.trigger(Reason::Deadline);
            let last = Instant::now() + GRACE;
            while let Ok(Some(Ok(chunk))) = timeout_at(last, next(&mut stream, &cx)).await {
                emit.send(chunk).await;
            }
            Err(Error::new(ErrorKind::Timeout, format!("`{name}` timed out after {limit:?}")))
        })
    }
}

/// The next chunk; an agent that the tool asks meanwhile is stopped by the tool's own interrupt.
async fn next(stream: &mut ToolStream, cx: &Context) -> Option<Result<ToolChunk>> {
    poll_fn(|task| cx.sync_scope(|| stream.as_mut().poll_next(task))).await
}
