package outbound

// The pieces that several payloads share.
const (
	// A new case usually has no assignment yet; it comes with a later update (the provider's page says so).
	sprinklrUnassigned = `{"customProperties":{"spr_uc_status":["New"],"5cc9a7cfe4b01904c8dfc908":["${country}"]},"queues":[]}`

	sprinklrAssigned = `{
		"assignment":{"assigneeId":"${user.assignee}","assigneeType":"USER","assignedById":${user.by},"assignmentTime":${recent.assigned}},
		"customProperties":{"spr_uc_status":["${status}"],"5cc9a7cfe4b01904c8dfc908":["${country}"]},
		"queues":[{"queueId":${account.queue},"assignmentTime":${recent.queue}}]}`

	sprinklrMessageID = `ACCOUNT_${account}_${recent.sent}_${channel}_${small.kind}_${big}`

	sprinklrSender = `{"channelType":"${channel}","channelId":"${big.sender}","name":"${first} ${last}","screenName":"reader${user.sender}",
		"profileUrl":"https://social.example.com/u/${big.sender}","followers":${count.followers},"followings":${count.followings},
		"age":0,"verified":false}`

	sprinklrReceiver = `{"channelType":"${channel}","channelId":"${big.receiver}","name":"${company}","screenName":"brand.example",
		"verified":true}`

	sprinklrCaseHead = `"id":"${oid}","caseNumber":${casenumber},"subject":"${subject}","description":"${text}"`

	sprinklrCaseTail = `"contact":{"id":"${channel}_${phone}","name":"${first} ${last}"},
		"createdTime":${earlier},"modifiedTime":${recent.assigned},"firstMessageId":"` + sprinklrMessageID + `","sentiment":${sentiment}`

	sprinklrCase = `{` + sprinklrCaseHead + `,"version":${version},"status":"${status}","priority":"${priority}",
		"workflow":` + sprinklrAssigned + `,` + sprinklrCaseTail + `}`

	sprinklrMessageHead = `"channelMessageId":"${big}","channelType":"${channel}","accountType":"${channel}",
		"channelCreatedTime":${recent.sent},"senderProfile":` + sprinklrSender + `,"receiverProfile":` + sprinklrReceiver + `,
		"language":"${language}","messageId":"` + sprinklrMessageID + `"`

	sprinklrMessageTail = `"createdTime":${recent.sent},"modifiedTime":${after},
		"insights":{"POST_REACH_COUNT":${double.reach},"LIKES_COUNT":${double.likes}},
		"workflow":{"customProperties":{"spr_um_status":["${status}"]},"queues":[]},"enrichments":{"sentiment":${sentiment}}`

	sprinklrMessage = `{"sourceType":"ACCOUNT","sourceId":${account},"content":{"text":"${text}","richText":"${text}"},
		` + sprinklrMessageHead + `,"brandPost":false,` + sprinklrMessageTail + `}`

	sprinklrPublished = `{"draftId":${id15.draft},"sourceType":"ACCOUNT","sourceId":${account},
		"content":{"text":"${text}","richText":"${text}","attachment":{"type":"LINK","url":"https://example.com/news?id=${count}"}},
		` + sprinklrMessageHead + `,"postId":${id15.post},"brandPost":true,"permalink":"https://social.example.com/p/${big}",
		"taxonomy":{"campaignId":"${campaign}","tags":["spring","shop & more"]},` + sprinklrMessageTail + `}`

	// A message that a search found has a negative source.
	sprinklrFound = `{"sourceType":"PERSISTENT_SEARCH","sourceId":${minus},"content":{"text":"${text}"},
		` + sprinklrMessageHead + `,"brandPost":${brand},"location":{"lat":20.0,"lon":-3.5,"country":"${country}"},` + sprinklrMessageTail + `}`

	sprinklrReceipt = `{"senderId":"${phone.sender}","receiverId":"${account}","timestamp":${recent.sent},"messageId":"` + sprinklrMessageID + `"}`
)

// sprinklrCaseTemplates are the payloads of cases and messages, with the members of the provider's pages and our own
// values. What ${kind} draws is in sprinklr_samples.go.
var sprinklrCaseTemplates = map[string]string{
	"case.create": `{` + sprinklrCaseHead + `,"version":0,"status":"New","priority":"${priority}",
		"workflow":` + sprinklrUnassigned + `,` + sprinklrCaseTail + `}`,
	"case.update": sprinklrCase,
	"case.delete": sprinklrCase,
	"message.association.change": `{"uCase":` + sprinklrCase + `,
		"associatedMessageIds":["` + sprinklrMessageID + `","ACCOUNT_${account}_${earlier.sent}_${channel}_${small.kind}_${big.other}"]}`,

	"message.created": sprinklrMessage,
	"message.updated": sprinklrFound,
	"message.deleted": `{"universalMessageId":"${channel}_${small.kind}_${big}","snType":"${channel}","msgType":${small.kind},"snMsgId":"${big}",
		"sourceId":${account},"sourceType":"PERSISTENT_SEARCH","snCreatedTime":${earlier},"deletedTime":${recent}}`,
	"message.engagement.updated": `{"channelMessageId":"${big}","channelType":"${channel}","sourceType":"ACCOUNT","sourceId":${account},
		"likeCount":${count.likes},"replyCount":${count.replies},"shareCount":${count.shares},"modifiedTime":${recent}}`,
	"message.published":      sprinklrPublished,
	"message.publish.failed": `{"postId":${id10.post},"error":"${failure}"}`,
	"message.sent.for.approval": `{"id":${id10.draft},"version":${version},"accountIds":[${account}],"accountTypes":["${channel}"],
		"content":{"text":"${text}","attachments":[{"type":"PHOTO","previewImageUrl":"https://example.com/media/${count}.jpg?w=200&h=200"}]},
		"scheduleDate":${due},"taxonomy":{"campaignId":"${campaign}"},"status":"SENT_FOR_APPROVAL","approvalPath":{"id":"${oid.path}","currentStep":1},
		"createdTime":${earlier},"modifiedTime":${recent},"authorId":${user.author}}`,
	"message.read":      sprinklrReceipt,
	"message.delivered": sprinklrReceipt,
	"post.trend.metrics.change": `{"id":"${id10.post}_${now}","postId":${id10.post},"date":${now},
		"measurements":{"LIKES_COUNT":${double.likes},"COMMENTS_COUNT":${double.comments},"POST_REACH_COUNT":${double.reach},"ENGAGEMENT_RATE":${fraction}}}`,
	"workflow.updated": `{"sourceType":"ACCOUNT","sourceId":${account},"content":{"text":"${text}"},` + sprinklrMessageHead + `,"brandPost":false,
		"createdTime":${recent.sent},"modifiedTime":${after},"workflow":` + sprinklrAssigned + `,"enrichments":{"sentiment":${sentiment}}}`,
}
