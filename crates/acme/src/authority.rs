//! How the authority is reached: the library's requests, over our own way to servers.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use tables::http::{Limits, Request, Url, ask};
use tables::sql::Tls;

const LIMITS: Limits = Limits { time: Duration::from_secs(60), bytes: 1 << 20 };

/// An authority, and whom to believe that it is the one.
pub struct Authority(pub Tls);

impl HttpClient for Authority {
    fn request(
        &self,
        request: http::Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let tls = self.0.clone();
        Box::pin(async move { exchange(request, &tls).await.map_err(Error::Other) })
    }
}

async fn exchange(
    request: http::Request<BodyWrapper<Bytes>>,
    tls: &Tls,
) -> Result<BytesResponse, Box<dyn std::error::Error + Send + Sync>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let url = Url::parse(&parts.uri.to_string())?;
    let mut headers = Vec::new();
    for (name, value) in &parts.headers {
        headers.push((name.as_str(), value.to_str()?));
    }
    // Only new nonces are asked for with HEAD; GET gets them just as well, with another status. RFC 8555 7.2.
    let nonce = parts.method == Method::HEAD;
    let method = if nonce { "GET" } else { parts.method.as_str() };
    let answer = ask(&Request { method, url: &url, headers: &headers, body: &body }, tls, LIMITS).await?;
    let status = if nonce && answer.status == 204 { StatusCode::OK.as_u16() } else { answer.status };
    let mut response = http::Response::builder().status(status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let (parts, ()) = response.body(())?.into_parts();
    Ok(BytesResponse { parts, body: Box::new(Bytes::from(answer.body)) })
}
