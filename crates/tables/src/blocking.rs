//! Work that may block, off the async threads.

use mail::Trouble;

use crate::{Answer, Lookup};

/// Does `work` on a thread for blocking work; where there is no runtime, here and now.
pub async fn elsewhere<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    match tokio::runtime::Handle::try_current() {
        Err(_) => work(),
        Ok(runtime) => match runtime.spawn_blocking(work).await {
            Ok(answer) => answer,
            Err(error) => Err(Trouble::from_error("look-up thread", error)),
        },
    }
}

/// Polls `answer` once: most tables have their answer at once, also those made of others.
pub fn ready_or_pending<'a>(answer: impl Future<Output = Answer> + Send + 'a) -> Lookup<'a> {
    let mut answer = Box::pin(answer);
    match answer.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(answer) => Lookup::Ready(answer),
        std::task::Poll::Pending => Lookup::Pending(answer),
    }
}
