//! What a line of the include files is for: keys into the texts, found by a piece of the line.

/// Context → key.
const CONTEXTS: [(&str, &str); 7] = [
    ("from-trunk-perezvon", "dialplan.context.trunk"),
    ("from-trunk-default", "dialplan.context.default"),
    ("perezvon-responsible", "dialplan.context.responsible"),
    ("perezvon-phone", "dialplan.context.phone"),
    ("perezvon", "dialplan.context.watchdog"),
    ("agi-guard", "dialplan.context.guard"),
    ("perezvon-curl", "dialplan.context.curl"),
];

/// Context (empty: any), piece of the line → key; the first that fits.
const LINES: [(&str, &str, &str); 45] = [
    ("from-trunk-perezvon", "s,1,Set(__DIRECTION", "dialplan.line.no_did"),
    ("from-trunk-perezvon", "__FROM_DID", "dialplan.line.from_did"),
    ("from-trunk-perezvon", "__DIRECTION", "dialplan.line.direction"),
    ("from-trunk-perezvon", "Gosub(perezvon-responsible", "dialplan.line.ring_first"),
    ("from-trunk-perezvon", "Goto(from-trunk,", "dialplan.line.go_on"),
    ("from-trunk-perezvon", "include => from-trunk", "dialplan.line.include"),
    ("from-trunk-perezvon", "Set(CDR(did)", "dialplan.line.did"),
    ("from-trunk-perezvon", "Gosub(perezvon,", "dialplan.line.ask"),
    ("from-trunk-perezvon", "${CRM_EXTEN}\" = \"\"", "dialplan.line.nobody"),
    ("from-trunk-perezvon", "Dial(PJSIP/", "dialplan.line.ring_plain"),
    ("from-trunk-perezvon", "Goto(from-trunk-default", "dialplan.line.go_on_plain"),
    ("from-trunk-default", "Dial(", "dialplan.line.default"),
    ("from-trunk-default", "Hangup()", "dialplan.line.default_end"),
    ("perezvon-responsible", "Gosub(perezvon,", "dialplan.line.ask"),
    ("perezvon-responsible", "${CRM_EXTEN}\" = \"\"", "dialplan.line.nobody"),
    ("perezvon-responsible", "EXTENSION_STATE", "dialplan.line.not_free"),
    ("perezvon-responsible", "Dial(Local/", "dialplan.line.ring_freepbx"),
    ("perezvon-responsible", "Return()", "dialplan.line.come_back"),
    ("perezvon-phone", "__NODEST", "dialplan.line.no_destination"),
    ("perezvon-phone", "__BLKVM_CHANNEL", "dialplan.line.block_channel"),
    ("perezvon-phone", "SHARED(BLKVM", "dialplan.line.block"),
    ("perezvon-phone", "Goto(from-did-direct", "dialplan.line.direct"),
    ("agi-guard", "AGIEXITONHANGUP", "dialplan.line.exit_on_hangup"),
    ("agi-guard", "AGI(agi://", "dialplan.line.agi"),
    ("agi-guard", "GotoIf", "dialplan.line.guard_empty"),
    ("agi-guard", "SHARED(CRM_ANSWER", "dialplan.line.hand_over"),
    ("agi-guard", "Hangup()", "dialplan.line.guard_end"),
    ("perezvon-curl", "CURLOPT(conntimeout)", "dialplan.line.connect_limit"),
    ("perezvon-curl", "CURLOPT(httptimeout)", "dialplan.line.answer_limit"),
    ("perezvon-curl", "CRM_QUERY=", "dialplan.line.question"),
    ("perezvon-curl", "CURL(http", "dialplan.line.curl"),
    ("perezvon-curl", "= \"name\"", "dialplan.line.name_only"),
    ("", "NoOp(Perezvon", "dialplan.line.log"),
    ("", "Set(CRM_STATUS=unset)", "dialplan.line.unset"),
    ("", "__CRM_ASKED", "dialplan.line.asked"),
    ("", "__CRM_QUESTION", "dialplan.line.question"),
    ("", "Set(SHARED(CRM_ANSWER)=)", "dialplan.line.forget"),
    ("", "Dial(Local/crm@agi-guard", "dialplan.line.watchdog"),
    ("", "CRM_ANSWER=${SHARED(CRM_ANSWER)}", "dialplan.line.read"),
    ("", "FIELDQTY", "dialplan.line.five_fields"),
    ("", "CUT(CRM_ANSWER", "dialplan.line.field"),
    ("", "CALLERID(name)=", "dialplan.line.show_name"),
    ("", "Return()", "dialplan.line.come_back"),
    ("", "${CRM_NAME}\" = \"\"", "dialplan.line.no_name"),
    ("", "=)", "dialplan.line.empty"),
];

/// What a context is for; empty when nobody has said so.
pub(super) fn of_context(name: &str) -> &'static str {
    CONTEXTS.iter().find(|(context, _)| *context == name).map_or("", |(_, key)| key)
}

/// What a line of a context is for; empty when nobody has said so.
pub(super) fn of_line(context: &str, line: &str) -> &'static str {
    let fits = |own: &str, piece: &str| (own.is_empty() || own == context) && line.contains(piece);
    LINES.iter().find(|(own, piece, _)| fits(own, piece)).map_or("", |(_, _, key)| key)
}
