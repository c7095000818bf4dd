//! Delivered-To: a message that was here before.

use mail::{Address, Blame, Detail, Refusal, Trouble, header};
use queue::Body;

/// Most of a header that is looked at, in bytes.
const HEADER: usize = 256 * 1024;

/// Does the message have a `Delivered-To:` with this address (internal form, any case)?
pub async fn was_delivered_to(content: &Body, address: &str) -> Result<bool, Refusal> {
    Ok(delivered_to(content).await?.iter().any(|known| known.eq_ignore_ascii_case(address)))
}

/// The addresses in the `Delivered-To:` headers, internal form.
pub async fn delivered_to(content: &Body) -> Result<Vec<String>, Refusal> {
    let start = match content.in_memory() {
        Some(bytes) => bytes.slice(..bytes.len().min(HEADER)),
        None => {
            let content = content.clone();
            let read = tokio::task::spawn_blocking(move || content.read_at(0, HEADER)).await;
            read.map_err(|error| Trouble::from_error("read the queued content", error))?
                .map_err(|error| Trouble::from_error("read the queued content", error))?
        }
    };
    let fields = header::fields(&start[..header::header_len(&start)]);
    let values = fields.filter(|field| field.is("Delivered-To")).map(|field| {
        let tokens = mail::addresses::parse(field.value(), 0);
        let first = mail::addresses::mailboxes(&tokens).next().map(|mailbox| mailbox.internal().to_vec());
        String::from_utf8_lossy(&first.unwrap_or_default()).into_owned()
    });
    Ok(values.collect())
}

/// `mail forwarding loop for …`.
pub fn refusal(address: &Address) -> Refusal {
    Refusal::never(54, Detail(4, 6), Blame::Policy, format!("mail forwarding loop for {address}"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[tokio::test]
    async fn finds_the_address_in_any_case_and_not_in_the_body() {
        let body = Body::from(Bytes::from_static(
            b"Received: x\nDelivered-To: \"a b\"@X.test\nSubject: y\n\nDelivered-To: c@x.test\n",
        ));
        assert!(was_delivered_to(&body, "A b@x.test").await.expect("in memory"));
        assert!(!was_delivered_to(&body, "c@x.test").await.expect("in memory"));
    }
}
