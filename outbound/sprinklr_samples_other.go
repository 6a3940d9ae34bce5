package outbound

// The pieces that several payloads share.
const (
	sprinklrProfile = `{"id":"${oid}","contactInfo":{"firstName":"${first}","lastName":"${last}","fullName":"${first} ${last}",
		"emails":["contact${user}@example.com"],"phoneNos":["+${phone}"],"companyName":"${company}","country":"${country}"},
		"profiles":[{"channelType":"${channel}","channelId":"${big}","name":"${first} ${last}","screenName":"reader${user}"}],
		"profileWorkflowProperties":[{"customProperties":{"loyalty":["gold"],"spr_up_language":["${language}"]},"sourceId":${minus}}],
		"createdTime":${created},"modifiedTime":${recent}}`

	sprinklrDraft = `{"id":${id10},"accountIds":[${account}],"version":${version},"accountTypes":["${channel}"],
		"content":{"text":"${text}","title":"${title}"},"scheduleDate":${due},
		"taxonomy":{"campaignId":"${campaign}","customProperties":{"market":["${country}"]}},"status":"DRAFT",
		"createdTime":${earlier},"modifiedTime":${recent},"authorId":${user}}`

	sprinklrCampaign = `{"id":"${campaign}","name":"${title}","description":"${note}","startTime":${due},"endTime":${end},"status":"APPROVED",
		"customProperties":{"market":["${country}"],"tier":["1","2"]},"tags":["spring"],"createdTime":${earlier},"modifiedTime":${recent},"authorId":${user}}`

	// -100 is the system itself.
	sprinklrCommentHead = `"id":"${oid}","text":"${note}","commentingUser":`

	sprinklrAsset = `{"id":"${oid}","name":"${title}","description":"${note}","assetType":"${assettype}","status":"${status}",
		"media":{"url":"https://media.example.com/${oid}?size=full&v=${version}","width":1920,"height":1080,"ratio":1.0},
		"taxonomy":{"campaignId":"${campaign}","tags":["shop"],"customProperties":{"rights":["owned"]}},
		"createdTime":${earlier},"modifiedTime":${recent},"ownerId":${user}}`

	sprinklrTaskTail = `"taskType":"Review Task","taskStatus":"${taskstatus}","title":"${title}","description":"${note}",
		"assetId":"MESSAGE_${id10}","assetType":"OUTBOUND_MESSAGE","dueDate":${due},"customProperties":{"spr_ut_status":["New"]},
		"inactive":false,"queueDetails":[],"createdTime":${earlier},"modifiedTime":${recent}`

	sprinklrUser = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"${user}","externalId":"agent-${user}",
		"userName":"agent${user}@example.com","name":{"givenName":"${first}","familyName":"${last}"},"displayName":"${first} ${last}",
		"emails":[{"value":"agent${user}@example.com","type":"work","primary":true}],"locale":"${language}","timezone":"${zone}","active":true,
		"meta":{"resourceType":"User","lastModified":"${iso}"}}`

	sprinklrAccount = `{"id":${account},"accountType":"${channel}","name":"${company}","screenName":"brand.example","channelId":"${big}","active":true,
		"timeZone":"${zone}","customProperties":{"region":["${country}"]},"createdTime":"${stamp}"}`

	// Open and close are minutes of the day.
	sprinklrHoursTail = `"timeZone":"${zone}","days":[{"day":"MONDAY","from":540,"to":1020},{"day":"SATURDAY","from":600,"to":780}],
		"createdTime":${created},"modifiedTime":${recent}`

	sprinklrHolidaysTail = `"holidays":[{"name":"Harbour day","date":"${day}","fullDay":true}],"createdTime":${created},"modifiedTime":${recent}`
)

// sprinklrOtherTemplates are the payloads of everything else.
var sprinklrOtherTemplates = map[string]string{
	"profile.created": sprinklrProfile,
	"profile.updated": sprinklrProfile,
	"profile.deleted": `"${oid}"`,
	"profiles.merged": `{"retainedProfileId":"${oid}","deletedProfileIds":["${oid.first}","${oid.second}"]}`,
	// Its payload is not documented: these members are ours.
	"audience.activity.created": `{"id":"${oid}","activityType":"FOLLOW","channelType":"${channel}","profileId":"${oid.profile}","createdTime":${recent}}`,

	"draft.created":   sprinklrDraft,
	"draft.updated":   sprinklrDraft,
	"draft.scheduled": `{"draftId":${id10},"postIds":[${id10.post}]}`,

	"campaign.created": sprinklrCampaign,
	"campaign.updated": sprinklrCampaign,
	"campaign.deleted": `"${campaign}"`,

	"comment.created": `{` + sprinklrCommentHead + `-100,"createdTime":${recent},"modifiedTime":${recent},"entityType":"MESSAGE",
		"entityId":"ACCOUNT_${account}_${earlier}_${channel}_5_${big}"}`,
	"comment.updated": `{` + sprinklrCommentHead + `${user},"createdTime":${earlier},"modifiedTime":${recent},"entityType":"CASE",
		"entityId":"${oid.case}"}`,

	"asset.created": sprinklrAsset,
	"asset.updated": sprinklrAsset,
	"asset.deleted": sprinklrAsset,

	"task.create": `{"id":"${oid}","assignment":{},` + sprinklrTaskTail + `}`,
	"task.update": `{"id":"${oid}","assignment":{"assigneeId":"${user}","assigneeType":"USER","assignmentTime":${recent}},` + sprinklrTaskTail + `}`,
	"task.delete": `"${oid}"`,

	"user.created": sprinklrUser,
	"user.updated": sprinklrUser,
	"user.deleted": `"${user}"`,

	"thread.control.updated": `{"entityType":"CASE","entityId":"${oid.case}","previousParticipant":"Sprinklr","controllingParticipant":"${company} bot"}`,
	"recommendation.created": `{"title":"${subject}","description":"${note}","recipientType":"CASE","recipientId":"${user.recipient}",
		"payload":{"type":"ESCALATED_ALERT","tags":["late","vip"],"metadata":{}},"createdTime":${recent}}`,

	"account.created": sprinklrAccount,
	"account.updated": sprinklrAccount,

	"business.hours.created": `{"id":"${oid}","name":"Shop ${country}",` + sprinklrHoursTail + `}`,
	"business.hours.updated": `{"oldBusinessHours":{"id":"${oid}","name":"Shop",` + sprinklrHoursTail + `},
		"newBusinessHours":{"id":"${oid}","name":"Shop ${country}",` + sprinklrHoursTail + `}}`,
	"business.holidays.list.created": `{"id":"${oid}","name":"Days off ${country}",` + sprinklrHolidaysTail + `}`,
	"business.holidays.list.updated": `{"oldBusinessHolidayList":{"id":"${oid}","name":"Days off",` + sprinklrHolidaysTail + `},
		"newBusinessHolidayList":{"id":"${oid}","name":"Days off ${country}",` + sprinklrHolidaysTail + `}}`,

	"survey.response.created": `{"surveyId":"${oid.survey}","responseId":"${oid}","responseStatus":"COMPLETED",
		"questionResponses":{"q1":{"question":"How did we do?","answer":"${small}"},"q2":{"question":"Anything else?","answer":"${note}"}},
		"caseNumber":${casenumber},"createdTime":${recent}}`,
	"voice.call.quality.event": `{"conversationId":"${oid.conversation}","participantId":"${user}","callId":"${oid}-${small}","direction":"${direction}",
		"eventTime":${now},"metrics":{"mos":${mos},"jitter":${delay.jitter},"packetLoss":${fraction},"rtt":${delay.rtt}}}`,
}
