//! What the server reads of a request.

use std::net::{IpAddr, Ipv4Addr};

use http::Request;
use http::uri::PathAndQuery;
use serde_json::Value;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// A login token, after its prefix.
const DIGITS: usize = 64;

/// The query in the first line, headers, an empty line, the body.
///
/// What is taken for a call's body is an object and the same when it is written
/// again; a credential is one by its form; nobody but a proxy says who a client
/// is.
pub(crate) fn request(data: &[u8]) {
    let Some(request) = parse(data) else { return };
    let reading = guruconnect_server::read(&request, PEER, &[]);
    assert_eq!(reading.client, PEER, "anybody says who they are");
    if !reading.bodies.is_empty() {
        let value: Value = serde_json::from_slice(request.body()).expect("what a call takes is JSON");
        assert!(value.is_object(), "{:?} take {value}", reading.bodies);
        let written = value.to_string();
        let again = guruconnect_server::read(&request.clone().map(|_| written.as_bytes()), PEER, &[]);
        assert_eq!(again.bodies, reading.bodies, "{written}");
    }
    let longest = request.headers().values().map(http::HeaderValue::len).max();
    assert!(reading.credential.is_none() || longest > Some(DIGITS), "{:?} in {longest:?} bytes", reading.credential);
    // Behind a proxy it is the proxy, or who the header names.
    let proxies = ["127.0.0.0/8".parse().expect("a network"), "10.0.0.0/8".parse().expect("a network")];
    let client = guruconnect_server::read(&request, PEER, &proxies).client;
    let forwarded = request.headers().get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let named = forwarded.flat_map(|value| value.split(',')).filter_map(|entry| entry.trim().parse::<IpAddr>().ok());
    assert!(client == PEER || named.into_iter().any(|named| named.to_canonical() == client), "{client} from nowhere");
}

fn parse(data: &[u8]) -> Option<Request<&[u8]>> {
    let end = data.windows(2).position(|pair| pair == b"\n\n")?;
    let (head, body) = (&data[..end], &data[end + 2..]);
    let mut lines = head.split(|byte| *byte == b'\n');
    let target = [b"/?", lines.next()?].concat();
    let mut request = Request::builder().uri(PathAndQuery::try_from(&target[..]).ok()?);
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..colon], line[colon + 1..].trim_ascii());
    }
    request.body(body).ok()
}
