use super::*;

fn in_body(status: u16, body: &str) -> Failure {
    Fault::in_body(body).into_failure(&Secrets::default(), Some("m"), status, None)
}

#[test]
fn the_words_of_an_error_are_found_in_every_form_in_use() {
    for body in [
        r#"{"error":{"message":"no such thing"}}"#,
        r#"{"error":"no such thing"}"#,
        r#"{"message":"no such thing"}"#,
        r#"{"detail":"no such thing"}"#,
        r#"{"msg":"no such thing","code":7}"#,
        r#"{"Message":"no such thing"}"#,
        r#"[{"error":{"code":400,"message":"no such thing","status":"INVALID_ARGUMENT"}}]"#,
        r#"{"errors":[{"message":"no such thing"}],"success":false}"#,
        r#"{"error":{"message":"{\"error\":{\"message\":\"no such thing\"}}"}}"#,
        r#"{"object":"error","message":"no such thing","type":"X","code":400}"#,
        r#"{"status":400,"title":"Bad Request","detail":"no such thing"}"#,
        r#"{"timestamp":1,"status":400,"error":"Bad Request","message":"no such thing"}"#,
        r#"{"error":{"type":"no such thing","message":""}}"#,
        r#"{"error":true,"message":"no such thing"}"#,
        r#"{"error":"invalid_token","error_description":"no such thing"}"#,
        r#"{"fault":{"faultstring":"no such thing","detail":{"errorcode":"policies.X"}}}"#,
        r#"{"Response":{"Error":{"Code":"X","Message":"no such thing"},"RequestId":"r"}}"#,
        r#"{"errcode":7,"errmsg":"no such thing"}"#,
        r#"{"title":"Bad Request","errors":["no such thing"]}"#,
        r#"{"error":{"issues":[{"path":[],"message":"no such thing"}],"name":"ZodError"}}"#,
        "data: {\"error\":{\"message\":\"no such thing\"}}\n\n",
        "event: error\ndata: {\"message\":\"no such thing\"}\n\n",
        "<!DOCTYPE html><html><head><TITLE>no such thing</TITLE></head></html>",
        "<html><head><title>Error</title></head><body><pre>no such thing</pre></body></html>",
        "\u{FEFF}{\"detail\":\"no such thing\"}",
        "no  such\nthing",
        "no such\0thing",
    ] {
        assert_eq!(Fault::in_body(body).words(&Secrets::default()), "no such thing", "{body}");
    }
    assert_eq!(Fault::in_body("").words(&Secrets::default()), "no reason given");
    assert_eq!(Fault::in_body("{}").words(&Secrets::default()), "no reason given");
}

#[test]
fn what_a_validator_says_is_told_with_its_place() {
    let body = r#"{"object":"error","message":{"detail":[
        {"type":"extra_forbidden","loc":["body","stream_options","include_usage"],
         "msg":"Extra inputs are not permitted","input":true}]}}"#;
    let words = "body.stream_options.include_usage: Extra inputs are not permitted";
    assert_eq!(Fault::in_body(body).words(&Secrets::default()), words);
    let body = r#"{"title":"","errors":{"max_tokens":["must be less than 9"]}}"#;
    assert_eq!(Fault::in_body(body).words(&Secrets::default()), "max_tokens: must be less than 9");
    let body = r#"{"error":[{"path":["messages",0,"content"],"message":"Expected string"}]}"#;
    assert_eq!(
        Fault::in_body(body).words(&Secrets::default()),
        "messages.0.content: Expected string"
    );
    let body = r#"{"errors":[{"instancePath":"/tools/0","params":{"additionalProperty":"x"},
        "message":"must NOT have additional properties"}]}"#;
    let words = "tools.0.x: must NOT have additional properties";
    assert_eq!(Fault::in_body(body).words(&Secrets::default()), words);
}

#[test]
fn what_the_one_behind_a_gateway_says_is_told_too() {
    let body = r#"{"error":{"message":"Provider returned error","code":400,"metadata":{
        "raw":"{\"error\":{\"message\":\"too many images\"}}","provider_name":"X"}}}"#;
    assert_eq!(
        Fault::in_body(body).words(&Secrets::default()),
        "Provider returned error: too many images"
    );
}

#[test]
fn what_a_server_quotes_of_the_request_is_not_told_nor_searched() {
    let question =
        r#"[{\"role\": \"user\", \"content\": \"Is the quota of the API key used up?\"}"#;
    for end in ["", r#"]"}}"#] {
        let body = format!(
            r#"{{"error":{{"code":500,"message":"Failed to parse: messages = {question}{end}"#
        );
        let error = in_body(500, &body);
        assert_eq!(error.name(), "server", "{body}");
        let said = format!("{error:?}");
        assert!(said.contains("Failed to parse: messages = …"), "{said}");
    }
}

#[test]
fn a_long_error_is_cut() {
    let words = Fault::in_body(&"ä".repeat(5000)).words(&Secrets::default());
    assert_eq!(words.chars().count(), 301);
}

#[test]
fn an_error_is_of_its_true_kind_whatever_the_status() {
    for (status, body, kind) in [
        (
            400,
            r#"{"error":{"message":"API key not valid. Please pass a valid API key."}}"#,
            "unauthorized",
        ),
        (400, r#"{"error":{"code":"invalid_api_key","message":"no"}}"#, "unauthorized"),
        (
            500,
            r#"{"error":{"message":"AuthenticationError: Incorrect API key provided"}}"#,
            "unauthorized",
        ),
        (401, "", "unauthorized"),
        (403, r#"{"error":"not allowed"}"#, "unauthorized"),
        (403, r#"{"error":{"message":"You exceeded your current quota"}}"#, "rate-limited"),
        (400, r#"{"error":{"type":"insufficient_quota","message":"no"}}"#, "rate-limited"),
        (402, r#"{"error":{"message":"Insufficient Balance"}}"#, "rate-limited"),
        (502, r#"{"error":{"code":429,"message":"busy"}}"#, "rate-limited"),
        (400, r#"{"code":"Throttling.RateQuota","message":"no"}"#, "rate-limited"),
        (
            404,
            r#"{"error":{"message":"model \"nope\" not found, try pulling it first"}}"#,
            "model-unknown",
        ),
        (400, r#"{"error":{"message":"x/y is not a valid model ID"}}"#, "model-unknown"),
        (
            404,
            r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment does not exist"}}"#,
            "model-unknown",
        ),
        (
            404,
            r#"{"error":{"message":"No endpoints found that support image input"}}"#,
            "no-vision",
        ),
        (404, r#"{"error":{"message":"No endpoints found for x/y."}}"#, "model-unknown"),
        (
            500,
            r#"{"error":{"message":"image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"}}"#,
            "no-vision",
        ),
        (400, r#"{"message":"Qwen/Qwen2.5-7B is not a multimodal model"}"#, "no-vision"),
        (404, "404 page not found", "no-api"),
        (400, r#"{"error":{"code":"content_filter","message":"filtered"}}"#, "declined"),
        (400, r#"{"detail":"Inference error: image too large"}"#, "too-large"),
        (413, "", "too-large"),
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 4096 tokens"}}"#,
            "bad-request",
        ),
        (422, r#"{"detail":[{"loc":["body"],"msg":"no"}]}"#, "bad-request"),
        (408, "", "server"),
        (409, "", "server"),
        (424, "", "server"),
        (425, "", "server"),
        (529, r#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#, "server"),
        (503, r#"{"error":"Model x is currently loading","estimated_time":20.0}"#, "server"),
        (302, "", "redirect"),
        // Apigee, which says it in a status of its own.
        (
            500,
            r#"{"fault":{"faultstring":"no","detail":{"errorcode":"policies.ratelimit.QuotaViolation"}}}"#,
            "rate-limited",
        ),
        // Whoever may not do something has paid too little, or asked for another's model.
        (
            403,
            r#"{"error":{"status":"PERMISSION_DENIED","message":"This requires billing to be enabled"}}"#,
            "rate-limited",
        ),
        (
            403,
            r#"{"__type":"AccessDeniedException","message":"You don't have access to the model"}"#,
            "model-unknown",
        ),
        (500, r#"{"error":{"type":"PermissionError","message":"[Errno 13] no: '/x'"}}"#, "server"),
        (503, r#"{"error":{"code":"model_not_found","message":"loading, try later"}}"#, "server"),
        (498, "", "server"),
        (499, "", "server"),
    ] {
        let error = in_body(status, body);
        assert_eq!(error.name(), kind, "{status} {body}: {error:?}");
    }
}

#[test]
fn what_passes_says_so_and_when() {
    let error = in_body(503, r#"{"error":"Model x is currently loading","estimated_time":20.0}"#);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(20)));
    assert!(error.is_passing());
    let error = in_body(429, r#"{"error":{"message":"Please try again in 1.5s."}}"#);
    assert_eq!(error.retry_after(), Some(Duration::from_millis(1500)));
    let error = Fault::in_body("").into_failure(
        &Secrets::default(),
        None,
        429,
        Some(Duration::from_secs(3)),
    );
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
    assert!(!in_body(500, r#"{"error":"you may need to provide the mmproj"}"#).is_passing());
}

fn in_answer(text: &str) -> Option<String> {
    let fault = Fault::in_answer(text)?;
    assert!(fault.is_certain, "{text}");
    Some(fault.words(&Secrets::default()))
}

#[test]
fn a_failure_in_an_answer_is_found_wherever_it_is_said() {
    for text in [
        r#"{"error":{"message":"no","code":500}}"#,
        r#"{"error":"no"}"#,
        r#"{"error":["no"]}"#,
        r#"{"error":true,"message":"no"}"#,
        r#"{"object":"error","message":"no"}"#,
        r#"{"type":"error","message":"no"}"#,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"no"}}"#,
        r#"{"choices":[{"error":{"code":502,"message":"no"}}]}"#,
        r#"{"choices":[{"delta":{"error":"no"}}]}"#,
        r#"{"choices":[{"delta":{"content":"a"}}],"error":{"message":"no"}}"#,
        r#"{"choices":null,"base_resp":{"status_code":1004,"status_msg":"no"}}"#,
        r#"{"errors":[{"code":7000,"message":"no"}],"success":false,"result":null}"#,
        r#"{"success":false,"message":"no"}"#,
        r#"{"status":"error","message":"no"}"#,
        r#"{"code":1301,"msg":"no"}"#,
        r#"{"error_code":17,"error_msg":"no"}"#,
        r#"{"status":400,"title":"Bad Request","detail":"no"}"#,
        r#"[{"error":{"message":"no"}}]"#,
        r#"{"text":"no","error_code":50002}"#,
        r#"{"choices":null,"base_resp":{"status_code":"1008","status_msg":"no"}}"#,
        r#"{"Response":{"Error":{"Code":"X","Message":"no"}}}"#,
        r#"{"error":"invalid_token","error_description":"no"}"#,
        r#"{"status":503,"message":"no"}"#,
        r#"{"code":"InvalidApiKey","message":"no"}"#,
    ] {
        assert_eq!(in_answer(text).as_deref(), Some("no"), "{text}");
    }
}

#[test]
fn what_only_looks_like_a_failure_is_none() {
    let choice = r#""choices":[{"delta":{"content":"a"}}]"#;
    for beside in [
        r#""error":null"#,
        r#""error":{}"#,
        r#""error":"""#,
        r#""error":false"#,
        r#""error":[]"#,
        r#""error":0"#,
        r#""error":{"code":0,"message":""}"#,
        r#""error":{"code":0,"message":"success"}"#,
        r#""error":{"code":null,"message":null,"type":null}"#,
        r#""error":{"message":""}"#,
        r#""base_resp":{"status_code":0,"status_msg":"success"}"#,
        r#""success":true,"errors":[],"messages":[]"#,
        r#""code":0,"msg":"ok""#,
        r#""detail":"cached""#,
        r#""message":"served from the cache""#,
        r#""status":"ok""#,
    ] {
        assert_eq!(in_answer(&format!("{{{choice},{beside}}}")), None, "{beside}");
    }
    for text in ["{}", "null", "7", r#"{"type":"ping"}"#, r#"{"id":"c"}"#] {
        assert_eq!(in_answer(text), None, "{text}");
    }
    // It may be one, if nothing else comes.
    for remark in [
        r#"{"detail":"Not Found"}"#,
        r#"{"status":"queued","message":"Your request is in the queue","position":3}"#,
        r#"{"type":"status","status":"searching","message":"Searching the web"}"#,
        r#"{"status":"completed","message":"done"}"#,
        r#"{"code":102,"message":"processing"}"#,
    ] {
        assert!(!Fault::in_answer(remark).unwrap().is_certain, "{remark}");
    }
}

#[test]
fn minimax_has_numbers_of_its_own() {
    let kind = |code: u16| {
        let text = format!(r#"{{"base_resp":{{"status_code":{code},"status_msg":"x"}}}}"#);
        let fault = Fault::in_answer(&text).unwrap();
        fault.into_failure(&Secrets::default(), Some("m"), 200, None).name()
    };
    assert_eq!(
        [1002, 1004, 1008, 1026, 1013, 2013].map(kind),
        ["rate-limited", "unauthorized", "rate-limited", "declined", "server", "bad-request"]
    );
}
