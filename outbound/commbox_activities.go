package outbound

import (
	"encoding/json"
	"strconv"
)

// commboxExamples are the activity types whose Data the provider's pages show.
func commboxExamples() []commboxActivityType {
	return []commboxActivityType{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 16, 17, 18, 19}
}

// activity makes up an Activity of a type, or of any that has an example when it is 0. The user of the types 4 and 5 has
// no identity on the page.
func (m commboxMaker) activity(kind commboxActivityType) json.RawMessage {
	if all := commboxExamples(); kind == 0 {
		kind = all[m.rng.IntN(len(all))]
	}
	user := commboxObject("Id", m.id(), "Identity", commboxObject("Id", m.id()))
	if kind == 4 || kind == 5 {
		user = commboxObject("Id", m.id())
	}
	return commboxObject("Id", m.id(), "Type", strconv.Itoa(int(kind)), "CreateDate", m.at.Format(commboxItemDate), "User", user,
		"Data", m.data(kind))
}

// data is an activity's Data. Ids are numbers here, unlike everywhere else.
func (m commboxMaker) data(kind commboxActivityType) json.RawMessage {
	id := func() json.RawMessage { return json.RawMessage(m.id()) }
	people := json.RawMessage(`["` + m.person().email() + `"]`)
	switch kind {
	case 1:
		return commboxObject("text", m.pick("called, no answer", "waiting for the supplier"))
	case 2:
		return commboxObject("statusId", 1+m.rng.IntN(11))
	case 3:
		return commboxObject("message", "could you look into this?", "recipients", people, "allowEmailReply", true, "allowCustomerDetails", m.rng.IntN(2) == 0)
	case 4:
		return commboxObject("message", "it left the warehouse\nthis morning", "recipients", people, "attachments", "{}")
	case 5:
		return commboxObject("oldObjectSubstreamName", "Orders", "oldObjectStreamName", "Shop", "newObjectStreamName", "Service", "newObjectSubstreamName", "Returns")
	case 6:
		return commboxObject("managerId", id(), "assignedManagerId", id())
	case 7:
		return commboxObject("tagId", 1+m.rng.IntN(999), "objectId", id(), "isRemoveTag", m.rng.IntN(2) == 0, "name", "Returns", "group_name", "Reasons")
	case 8:
		return commboxObject("text", "ask whether it arrived", "scheduledTime", m.at.AddDate(0, 0, 2).Format("01/02/2006 15:04:05"))
	case 9:
		return commboxObject("intentIds", json.RawMessage(`[`+m.small(99)+`]`), "objectId", id(), "isRemoveIntent", false, "names", json.RawMessage(`["exchange"]`))
	case 10:
		file := commboxObject("href", "/media/acme/"+m.small(9999)+".png", "name", "label")
		return commboxObject("objectId", id(), "managerId", id(), "attachments", commboxObject("attachments", json.RawMessage(`[`+string(file)+`]`)), "attachmentType", "image")
	case 11:
		return commboxObject("originalStreamId", 1+m.rng.IntN(900), "destStreamId", 1+m.rng.IntN(900), "destSubStreamId", m.rng.IntN(9), "changedStatusId", 8, "tagId", 1+m.rng.IntN(999), "tagName", "Press")
	case 13:
		return commboxObject("changePublicityToPublic", m.rng.IntN(2) == 0)
	case 15:
		return commboxObject("fileName", "scan.heic", "status", "failed", "description", "files of this kind are not taken", "unValidActivity", 15, "fileExtension", "heic")
	case 16:
		return commboxObject("status", "failed", "description", "more than 10 MB", "maxFileSizeAllow", 10, "unValidActivity", 16)
	case 17:
		return commboxObject("status", "failed", "description", "files are switched off here", "unValidActivity", 17)
	case 19:
		return commboxObject("action", "addParticipant", "performingAgentId", id(), "isAgent", true, "addedParticipantName", m.person().first)
	}
	return commboxObject() // 18, and the types without an example
}
