package outbound

// sprinklrEvent is one event by all its names.
type sprinklrEvent struct {
	wire     string // type in the delivery
	constant string // in the management API; empty for those that only the console offers
	label    string // in the console
	category string // the entity under which the console lists it; empty where its page does not say
}

// sprinklrTable lists the events in the taxonomy's order. All names are in the provider's pages, but the wire type of
// audience.activity.created, which is our reading of its constant.
var sprinklrTable = []sprinklrEvent{
	{"case.create", "CASE_CREATED", "Case Created", "Case"},
	{"case.update", "CASE_UPDATED", "Case Updated", "Case"},
	{"case.delete", "CASE_DELETED", "Case Deleted", "Case"},
	{"message.association.change", "MESSAGE_ASSOCIATION_CHANGE", "Message Association Change", "Case"},
	{"message.created", "MESSAGE_CREATED", "Message Received", "Message"},
	{"message.updated", "MESSAGE_UPDATED", "Message Updated", "Message"},
	{"message.deleted", "MESSAGE_DELETED", "Message Deleted", "Message"},
	{"message.engagement.updated", "", "Message Engagement Updated", "Message"},
	{"message.published", "MESSAGE_PUBLISHED", "Message Published", "Message"},
	{"message.publish.failed", "MESSAGE_PUBLISH_FAILED", "Message Publish Failed", "Message"},
	{"message.sent.for.approval", "", "Message Sent for Approval", "Message"},
	{"message.read", "MESSAGE_READ", "Message Read", "Message"},
	{"message.delivered", "MESSAGE_DELIVERED", "Message Delivered", "Message"},
	{"post.trend.metrics.change", "", "Post Trend Metrics", ""},
	{"workflow.updated", "WORKFLOW_UPDATED", "Workflow Updated", "Workflow"},
	{"profile.created", "PROFILE_CREATED", "Profile Created", "Profile"},
	{"profile.updated", "PROFILE_UPDATED", "Profile Updated", "Profile"},
	{"profile.deleted", "PROFILE_DELETED", "Profile Deleted", "Profile"},
	{"profiles.merged", "PROFILES_MERGED", "Profiles Merged", "Profile"},
	{"audience.activity.created", "AUDIENCE_ACTIVITY_CREATED", "Audience Activity", "Activity"},
	{"draft.created", "DRAFT_CREATED", "Draft Created", "Draft"},
	{"draft.updated", "DRAFT_UPDATED", "Draft Updated", "Draft"},
	{"draft.scheduled", "DRAFT_SCHEDULED", "Draft Scheduled", "Draft"},
	{"campaign.created", "CAMPAIGN_CREATED", "Campaign Created", "Campaign"},
	{"campaign.updated", "CAMPAIGN_UPDATED", "Campaign Updated", "Campaign"},
	{"campaign.deleted", "CAMPAIGN_DELETED", "Campaign Deleted", "Campaign"},
	{"comment.created", "COMMENT_CREATED", "Comment Created", "Comment"},
	{"comment.updated", "COMMENT_UPDATED", "Comment Updated", "Comment"},
	{"asset.created", "DIGITAL_ASSET_CREATED", "Asset Created", "Sam"},
	{"asset.updated", "DIGITAL_ASSET_UPDATED", "Asset Updated", "Sam"},
	{"asset.deleted", "DIGITAL_ASSET_DELETED", "Asset Deleted", "Sam"},
	{"task.create", "TASK_CREATE", "Task Create", "Task"},
	{"task.update", "TASK_UPDATE", "Task Update", "Task"},
	{"task.delete", "TASK_DELETE", "Task Delete", "Task"},
	{"user.created", "", "User Create", "User"},
	{"user.updated", "", "User Update", "User"},
	{"user.deleted", "", "User Delete", "User"},
	{"thread.control.updated", "", "Thread Control Updated", "Thread Control"},
	{"recommendation.created", "", "Recommendation Created", ""},
	{"account.created", "", "Account Created", ""},
	{"account.updated", "", "Account Updated", ""},
	{"business.hours.created", "", "Business Hours Created", ""},
	{"business.hours.updated", "", "Business Hours Updated", ""},
	{"business.holidays.list.created", "", "Business Holiday List Created", ""},
	{"business.holidays.list.updated", "", "Business Holiday List Updated", ""},
	{"survey.response.created", "", "Survey Response Created", ""},
	{"voice.call.quality.event", "", "Voice Call Quality Event", ""},
}

// sprinklrNames finds an event by any of its names.
var sprinklrNames = func() map[string]int {
	m := map[string]int{}
	for i, e := range sprinklrTable {
		m[e.wire] = i
		if e.constant != "" {
			m[e.constant] = i
		}
	}
	m["AUDIENCE_ACTIVITY"] = m["AUDIENCE_ACTIVITY_CREATED"] // one page of the provider's prints it so
	return m
}()

func sprinklrFind(name string) (sprinklrEvent, bool) {
	i, ok := sprinklrNames[name]
	if !ok {
		return sprinklrEvent{}, false
	}
	return sprinklrTable[i], true
}

// sprinklrSame reports whether two names mean one event.
func sprinklrSame(a, b string) bool {
	i, known := sprinklrNames[a]
	j, alike := sprinklrNames[b]
	return known && alike && i == j
}

// filterable is false for the entities for which the console offers no filter (its help page says so).
func (e sprinklrEvent) filterable() bool {
	switch e.category {
	case "Activity", "Draft", "Campaign", "Comment", "User", "Thread Control":
		return false
	}
	return true
}

func sprinklrNatives() []string {
	natives := make([]string, len(sprinklrTable))
	for i, e := range sprinklrTable {
		natives[i] = e.wire
	}
	return natives
}
