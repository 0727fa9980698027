//! What time it is for the API server, which dates every object: the `Date` of an answer, whatever the answer says.

use super::call::{CALL_LIMIT, port_error};
use crate::ports::PortError;
use jiff::fmt::rfc2822::DateTimeParser;
use kube::{Client, client::Body};
use shared::time::Timestamp;

/// A page that every API server has, and that needs no right: who may not read it is answered as well.
const PAGE: &str = "/version";

/// To the second, and as old as the answer was on its way.
pub(super) async fn of_server(client: &Client) -> Result<Timestamp, PortError> {
    let what = "read the clock of the API server";
    let unavailable = |text: &str| PortError::Unavailable(format!("{what}: {text}"));
    let request = http::Request::get(PAGE).body(Body::empty()).map_err(|error| unavailable(&error.to_string()))?;
    let answer = match tokio::time::timeout(CALL_LIMIT, client.send(request)).await {
        Ok(answer) => answer.map_err(|error| port_error(what, &error))?,
        Err(_) => return Err(unavailable("no answer in time")),
    };
    let date = answer.headers().get(http::header::DATE).and_then(|date| date.to_str().ok());
    let date = date.ok_or_else(|| unavailable("its answer has no date"))?;
    let at = DateTimeParser::new().parse_timestamp(date).map_err(|error| unavailable(&error.to_string()))?;
    Ok(Timestamp(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http::Response;

    async fn asked(response: http::response::Builder) -> Result<Timestamp, PortError> {
        let (service, mut server) = tower_test::mock::pair::<http::Request<Body>, Response<Body>>();
        let client = Client::new(service, "default");
        let serving = async {
            let (request, send) = server.next_request().await.unwrap();
            assert_eq!(request.uri().path(), PAGE);
            send.send_response(response.body(Body::empty()).unwrap());
        };
        tokio::join!(of_server(&client), serving).0
    }

    #[tokio::test]
    async fn the_date_of_any_answer_is_read() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        for status in [200, 403, 500] {
            let answer = Response::builder().status(status).header("date", date);
            assert_eq!(asked(answer).await.unwrap(), Timestamp(784_111_777_000), "{status}");
        }
        let none = asked(Response::builder()).await.unwrap_err();
        assert!(none.to_string().contains("no date"), "{none}");
        let broken = asked(Response::builder().header("date", "yesterday")).await;
        assert!(matches!(broken, Err(PortError::Unavailable(_))), "{broken:?}");
    }
}
