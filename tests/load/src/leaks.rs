//! What is left after many connects and hang-ups.

use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::time::sleep;

use crate::{
    Failure, Tool,
    process::megabytes,
    report::{Report, table},
    spec::seconds,
    viewer::{Browser, Viewer, Wish},
    vlm::Vlm,
};

#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    /// How many
    #[arg(long, default_value_t = 50)]
    pub(crate) cycles: usize,
    /// Seconds to wait before each look, for idle threads and empty media processes to end
    #[arg(long, default_value = "15", value_parser = seconds)]
    pub(crate) quiet: Duration,
}

pub(crate) async fn measure(tool: &Tool, plan: &Plan) -> Result<Report, Failure> {
    let Plan { cycles, quiet } = *plan;
    let vlm = Vlm::start(4, Duration::from_millis(20)).await?;
    let server = tool.serve(&vlm).await?;
    let (mut rows, mut figures) = (Vec::new(), Vec::new());
    for cycle in 0..=cycles {
        if [0, 1, 10, cycles].contains(&cycle) {
            sleep(quiet).await;
            let look = server.look()?;
            let memory = megabytes(look.memory);
            rows.push(vec![
                format!("after {cycle}"),
                format!("{}", look.processes),
                format!("{}", look.threads),
                format!("{}", look.files),
                format!("{memory:.1}"),
            ]);
            figures.push(json!({
                "cycles": cycle, "processes": look.processes, "threads": look.threads,
                "files": look.files, "memory_mb": memory,
            }));
        }
        if cycle < cycles {
            let browser = Browser::visit(tool, &server.address).await?;
            let mut viewer = Viewer::connect(&browser, &tool.video, &Wish::default()).await?;
            viewer.answer().await?;
            viewer.hang_up().await;
        }
    }
    let text = table(&["", "processes", "threads", "files", "MB"], &rows);
    let text = format!("leaks: connect, one answer, hang up, {}\n{text}", tool.video);
    Ok(Report { text, figures: json!({"looks": figures}) })
}
