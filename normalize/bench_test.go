package normalize_test

import (
	"testing"

	"github.com/hookgate/hookgate"
	"github.com/hookgate/hookgate/normalize"
)

// benchBodies has a delivery of about 900 bytes for each provider that sends JSON.
var benchBodies = map[string]string{
	"sprinklr": `{"id":"6650a401c3d4e5f607182940","type":"message.created","payload":{"draftId":600000009172522,"sourceType":"ACCOUNT","sourceId":1000001,"content":{"text":"Hello, where is my parcel? It was promised for last week.","richText":"Hello, where is my parcel? It was promised for last week."},"channelMessageId":"1","channelType":"TWITTER","accountType":"TWITTER","channelCreatedTime":1716560896565,"senderProfile":{"channelType":"TWITTER","channelId":"100000001","name":"Robin Example","screenName":"robin"},"receiverProfile":{"channelType":"TWITTER","channelId":"100000002","name":"Care"},"language":"en","messageId":"ACCOUNT_1000001_1716560896565_TWITTER_5_1","postId":600000006735715,"brandPost":false,"createdTime":1716560897139,"modifiedTime":1716560897567,"insights":{"POST_REACH_COUNT":1.0},"workflow":{"customProperties":{},"queues":[]},"enrichments":{"sentiment":0}},"eventTime":1716560897738,"subscriptionDetails":{"subscriptionId":"6650a1f2c3d4e5f607182930"}}`,
	"salesiq":  `{"entity_type":"conversation","webhook":{"id":"19367000000120011"},"org_id":"20011223","event":"conversation.operator.replied","entity_id":"8000000004011","attempt":1,"version":1,"app_id":"8000000000047","entity":{"id":"8000000004011","visitor_conversation_id":"ad433hjd","message":{"sender":{"name":"Robin","id":"8000000000005","type":"operator"},"meta":{},"msgid":"1716560100251","text":"Hello, your parcel is on its way and will be there by tomorrow noon."},"visitor":{"email_id":"sam@example.com","name":"Sam","last_name":"Example","channel":"website","id":"30000000090034","phone":"1234354","type":"contact"},"owner":{"name":"Robin","type":"operator","id":"8000000000005","email_id":"robin@example.com"},"department_id":"301050000004","supervisors":["30102333033336"],"participants":["30102333033336"],"opened_time":"1716560000331","attended_time":"1716560001331","question":"Where is my parcel? It was promised for last week."},"event_time":"1716560100268"}`,
	"bird":     `{"service":"channels","event":"sms.inbound","payload":{"id":"96a0b5fa-a986-453d-be5c-000000000001","channelId":"614208aa-b153-4d5d-9989-000000000001","sender":{"contact":{"id":"32cf5eee-f940-422c-ab8c-000000000001","identifierKey":"phonenumber","identifierValue":"+31600000001","annotations":{"name":"Robin Example"}}},"receiver":{"connector":{"id":"86cc4dc0-3dc0-41b7-ac43-000000000001","identifierValue":""}},"body":{"type":"text","text":{"text":"Hello, where is my parcel? It was promised for last week, and it has not come."}},"meta":{"extraInformation":{"timestamp":"1719823250"}},"reference":"","parts":[{"platformReference":"e8077d80-0000-4000-8000-000000000001"}],"status":"delivered","reason":"","direction":"incoming","lastStatusAt":"2024-07-01T08:40:50.736Z","createdAt":"2024-07-01T08:40:50.736Z","updatedAt":"2024-07-01T08:40:50.736Z"}}`,
}

func BenchmarkNormalize(b *testing.B) {
	for provider, body := range benchBodies {
		b.Run(provider, func(b *testing.B) {
			r, req, verdict := reader(b, provider, normalize.Options{}), request(body), hookgate.Verdict(nil)
			if provider == "bird" {
				verdict = signedBy("bird-signature", "1719823259")
			}
			req.BodySHA256() // the verifier or Seal needs it anyway
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if events := r.Normalize(req, verdict); len(events) != 1 || events[0].Quarantine != "" {
					b.Fatal(events)
				}
			}
		})
	}
}
