"""The common vocabulary: native event, entity type, action, path of the subject, and for CommBox the path of the time."""

TABLE = {
    "sprinklr": """
case.create case created payload.id
case.update case updated payload.id
case.delete case deleted payload.id
message.association.change case associated payload.uCase.id
message.created message received payload.messageId
message.updated message updated payload.messageId
message.deleted message deleted payload.universalMessageId
message.engagement.updated message engaged payload.channelMessageId
message.published message published payload.messageId
message.publish.failed message failed payload.postId
message.sent.for.approval message submitted payload.id
message.read message read payload.messageId
message.delivered message delivered payload.messageId
post.trend.metrics.change message measured payload.postId
workflow.updated workflow updated payload.messageId
profile.created contact created payload.id
profile.updated contact updated payload.id
profile.deleted contact deleted payload
profiles.merged contact merged payload.retainedProfileId
audience.activity.created audience created payload.id
draft.created draft created payload.id
draft.updated draft updated payload.id
draft.scheduled draft scheduled payload.draftId
campaign.created campaign created payload.id
campaign.updated campaign updated payload.id
campaign.deleted campaign deleted payload
comment.created comment created payload.id
comment.updated comment updated payload.id
asset.created asset created payload.id
asset.updated asset updated payload.id
asset.deleted asset deleted payload.id
task.create task created payload.id
task.update task updated payload.id
task.delete task deleted payload
user.created agent created payload.id
user.updated agent updated payload.id
user.deleted agent deleted payload
thread.control.updated thread transferred payload.entityId
recommendation.created recommendation created payload.recipientId
account.created channel created payload.id
account.updated channel updated payload.id
business.hours.created schedule created payload.id
business.hours.updated schedule updated payload.newBusinessHours.id
business.holidays.list.created schedule created payload.id
business.holidays.list.updated schedule updated payload.newBusinessHolidayList.id
survey.response.created survey submitted payload.responseId
voice.call.quality.event call measured payload.callId
""",
    "salesiq": """
conversation.created conversation created
conversation.attender.updated conversation assigned
conversation.missed conversation missed
conversation.completed conversation completed
conversation.rated conversation rated
conversation.visitor.replied conversation replied
conversation.operator.replied conversation replied
conversation.transfer.initiated conversation initiated
conversation.transfer.accepted conversation transferred
conversation.transfer.rejected conversation rejected
conversation.participants.added conversation joined
conversation.participants.deleted conversation left
conversation.supervisor.added conversation supervised
conversation.message.edited conversation edited
conversation.message.deleted conversation redacted
conversation.metrics conversation measured
conversation.reopened conversation reopened
conversation.ended conversation completed
visitor.updated visitor updated
contact.tag.action contact tagged
lead.tag.action contact tagged
department.created department created
department.updated department updated
department.deleted department deleted
operator.created agent created
operator.updated agent updated
operator.deleted agent deleted
operator.departments.associated agent assigned
operator.departments.dissociated agent unassigned
brands.enabled brand enabled
brands.disabled brand disabled
tag.created tag created
tag.updated tag updated
tag.deleted tag deleted
""",
    "commbox": """
Object.OnNew conversation created Object.Id Object.CreateDate
Object.OnNewChild conversation replied Object.Id Object.Children.Child.CreateDate
Object.OnNewActivity conversation updated Object.Id Object.Activities.Activity.CreateDate
Object.OnUpdateTag conversation tagged Object.Id
User.OnNew contact created User.Id
User.OnUpdate contact updated User.Id
User.OnUpdateTag contact tagged User.Id
Satisfaction.OnSubmit survey submitted Satisfaction.ObjectId
Form.OnSubmit form submitted Form.ObjectId
Chat.OnUserExit conversation exited Chat.Object.Id
Tag.OnAdd tag created Tag.tagId|Tag.Id
Tag.OnUpdate tag updated Tag.tagId|Tag.Id
""",
    "netcore": """
email.delivered email delivered
email.open email opened
email.click email clicked
email.bounce email bounced
sms.delivered sms delivered
sms.click sms clicked
apn.delivered push delivered
apn.click push clicked
bpn.delivered push delivered
bpn.click push clicked
whatsapp.delivered whatsapp delivered
whatsapp.open whatsapp opened
whatsapp.click whatsapp clicked
whatsapp.failed whatsapp failed
rcs.delivered rcs delivered
rcs.open rcs opened
rcs.click rcs clicked
rcs.failed rcs failed
custom_activity activity performed
""",
    "bird": """
channels.sms.inbound message received payload.id
channels.whatsapp.inbound message received payload.id
channels.email.inbound message received payload.id
channels.line.inbound message received payload.id
channels.instagram.inbound message received payload.id
channels.facebook.inbound message received payload.id
channels.viber.inbound message received payload.id
channels.linkedin.inbound message received payload.id
channels.tiktok.inbound message received payload.id
channels.telegram.inbound message received payload.id
channels.sms.outbound message updated payload.id
channels.whatsapp.outbound message updated payload.id
channels.email.outbound message updated payload.id
channels.line.outbound message updated payload.id
channels.instagram.outbound message updated payload.id
channels.facebook.outbound message updated payload.id
channels.viber.outbound message updated payload.id
channels.linkedin.outbound message updated payload.id
channels.tiktok.outbound message updated payload.id
channels.telegram.outbound message updated payload.id
channels.email.interaction message interacted payload.messageId|payload.id
channels.whatsapp.interaction message interacted payload.messageId|payload.id
channels.*.inbound message received payload.id
channels.*.outbound message updated payload.id
channels.*.interaction message interacted payload.messageId|payload.id
channels.voice.inbound call updated payload.id
channels.voice.outbound call updated payload.id
channels.channel.created channel created payload.id
channels.channel.updated channel updated payload.id
numbers.endpoint number updated payload.id
numbers.10dlc.brand brand updated payload.id
numbers.10dlc.campaign campaign updated payload.id
numbers.10dlc.vetting vetting updated payload.id
numbers.tfn.verification verification updated payload.id
conversations.conversation.created conversation created payload.id
conversations.conversation.updated conversation updated payload.id
conversations.conversation.deleted conversation deleted payload.id
""",
}


def rows(provider):
    """The listed events of a provider: native event -> (entity type, action, subject path or None, time path or None)."""
    found = {}
    for line in TABLE[provider].split("\n"):
        if line:
            words = line.split() + [None, None]
            found[words[0]] = tuple(words[1:5])
    return found
