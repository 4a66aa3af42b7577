//! How pictures reach each viewer is in the session's data, as the viewers say.

use anyhow::{Result, ensure};
use gc_tests::messages::{VideoCodec, ViewerStatistics};
use gc_tests::{Body, TestServer};
use serde_json::{Value, json};

fn figures(frames_per_second: u32) -> ViewerStatistics {
    ViewerStatistics {
        frames_per_second,
        kbit_per_second: 2_500,
        codec: VideoCodec::H264.into(),
        encode_us: 1_800,
        decode_us: 900,
        latency_us: 0,
        round_trip_us: 23_000,
    }
}

async fn say_it(access: &str, claim: &str) -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, access).await?;
    let mut first = server.viewer(&technician, &session, claim).await?;
    let mut second = server.viewer(&technician, &session, claim).await?;
    let told = async |viewer: u32| -> Result<Value> {
        let answer = technician.session(&session).await?;
        let watching = answer["viewers"].as_array().cloned().unwrap_or_default();
        let found = watching.into_iter().find(|other| other["viewer"] == viewer);
        Ok(found.map(|found| found["statistics"].clone()).unwrap_or_default())
    };
    ensure!(told(first.number()).await? == Value::Null, "nothing was said yet");

    // The last of each viewer counts.
    for frames in [7, 24] {
        first.send(figures(frames));
    }
    second.send(ViewerStatistics { codec: 9, ..ViewerStatistics::default() });
    first.settle(1).await?;
    second.settle(1).await?;
    let mut seen = told(first.number()).await?;
    ensure!(seen["measured_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{seen}");
    seen["measured_at"] = Value::Null;
    let expected = json!({
        "measured_at": null, "frames_per_second": 24, "kbit_per_second": 2500, "codec": "h264",
        "encode_us": 1800, "decode_us": 900, "latency_us": null, "round_trip_us": 23000,
    });
    ensure!(seen == expected, "{seen}");
    let seen = told(second.number()).await?;
    ensure!(seen["codec"] == "tiles" && seen["encode_us"] == Value::Null, "{seen}");

    // It goes no further, and not without bounds.
    first.say(&mut agent, "marker").await?;
    ensure!(!agent.seen().iter().any(|received| matches!(received.body, Body::ViewerStatistics(_))));
    (0..400).for_each(|frames| first.send(figures(frames)));
    first.ended().await?.expect(4429)?;
    second.say(&mut agent, "another marker").await
}

#[tokio::test]
async fn viewers_say_how_pictures_reach_them() -> Result<()> {
    say_it("control", "control").await?;
    say_it("view", "view_only").await
}
