/*
 * Words that mean the same, in English and Chinese, one concept a line (`_` joins the words of a phrase). A small general
 * vocabulary of requests and business things, so that a message in one language can reach a tool described in the other.
 */

/** What only a tool that says so can do: a tool without the word does not do it. */
export const DISTINCT_ACTIONS = `
log_in login sign_in log_out logout sign_out
ban 拉黑 屏蔽
buy purchase procure 购买 采购 买 下单
increase decrease reduce lower 提高 降低
sell 出售 卖掉
shut 关
stop end finish terminate 停止 结束 终止
resolve close_ticket close 解决 关闭
delete remove erase 删除 删掉 删了 移除 去掉 清除 注销 移出 踢出 删
cancel revoke withdraw call_off 取消 撤销 撤回 退订
return 退货 退回 归还
approve approval 批准 审批 通过 同意
reject decline deny 拒绝 驳回
restart reboot 重启
copy duplicate 复制
relocate 搬 搬到
merge combine 合并
rename 重命名 改名
merge_into 并入
restore recover undo 恢复 还原
archive 归档
lock freeze 锁定 冻结
`;

/** The same, where the action is its own subject: who says `play` has said what the request is about. */
export const DISTINCT_SUBJECTS = `
fix_bug debug 调试
pay_back repay 还款
cook bake 煮 做饭
draw paint 画
sing 唱
forward 转发
reply comment 回复 评论
deploy release rollout 部署 发布 上线
upload 上传
assign allocate delegate 分配 指派 分派 派给
pay payment 支付 付款 缴费 缴纳
summarize summarise summary summarization 摘要 总结 概括
play 播放 放一首 来一首
rent rental 租 租赁 租车
share 分享 共享
repair maintenance fix 维修 保养 报修 修理
complaint complain 投诉
print 打印
scan 扫描
call dial 打电话 拨打 通话
`;

/** Actions that are their own subject: who says `remind me` has said what the request is about. */
export const SPECIFIC_ACTIONS = `
remind reminder remember 提醒 提示 记得
refund 退款 退钱 退一下 退
invite invitation 邀请
subscribe subscription 订阅
ship dispatch 发货 出货
export download 导出
import 导入
join 加入 参加
hire recruit 招聘 录用
`;

/** The same for what is asked to be told rather than done. */
export const ANSWERING = `
convert conversion 换算 转换 换成 兑换成 worth 折合 相当于
translate translation do_you_say 翻译 译成 译为 怎么说
calculate compute calculator sum 计算 算一下 算 计算器
`;

/** What most tools that change something do, in words that stand for one another. */
export const MAKING = `
start launch begin run execute 启动 开始 运行 执行
update change edit modify adjust 修改 更新 更改 编辑 调整 改成 改为 变更 改到 改一下
create add new make insert 创建 新建 新增 添加 增加 建立 建个 建一个 加一个 加个
book novel 图书 书
book reserve reservation 预订 预定 预约 订一 订个 订
schedule arrange plan 安排 排期
request apply 申请
post publish 发布 发帖
log record 记录 登记 录入
submit file raise report 提交 提 上报
write compose draft 写 撰写
`;

/** What many tools do, yet each in its own way. */
export const CHANGING = `
upgrade downgrade switch 升级 降级 换成
reset 重置
send deliver 发送 发给 寄 发个 发一封 发一条 发
transfer move remit 转账 汇款 转给 调拨 调货 转移 转
download 下载
turn_on switch_on enable 打开 开启 启用
turn_off switch_off disable 关闭 关掉 关上 停用 禁用
`;

/** What asks to be shown something: any tool that reads answers to these. */
export const READING = `
get fetch retrieve query 查询 查一下 查下 获取 查
track trace 跟踪 追踪 到哪
search find seek look_for look_up lookup 搜索 查找 搜一下 检索 寻找 找一下 找出 搜
`;

/** What asks to be shown what there is. */
export const VIEWING = `
show check view see display read 查看 看看 看一下 显示 读
list all every 列出 列表 所有 全部 清单 有哪些
`;

/** What asks for talk, which no tool gives that does not say so. */
export const TALKING = `
define meaning stand_for 什么意思 什么是
opinion you_think 你觉得 你认为
recommend suggest 推荐 建议
explain teach 解释 讲解
`;

/** What requests are about. */
export const THINGS = `
expense reimburse reimbursement 报销 费用 花销 spend spent 花了
weather forecast rain rainy wind windy sunny snow umbrella cold warm hot 天气 预报 下雨 下雪 刮风 带伞 要带伞 多冷 多热 冷不冷 热不热
phone telephone 电话 手机
shop store mall buy purchase 商城 商店 店铺 购买 买
meeting conference 会议 开会 会面 例会 个会 场会
event appointment calendar agenda schedule 日历 日程 事件
activity 活动
email mail e-mail 邮件 电子邮件 邮箱 电邮
message text sms chat 消息 短信 信息 留言
temperature degree 温度 气温 度
flight fly plane airline 航班 机票 飞机 飞
hotel accommodation lodging 酒店 宾馆 住宿 旅馆
room 房间 客房 房
meeting_room 会议室
restaurant dine dinner table 餐厅 饭店 餐馆 餐位
train railway 火车 高铁 列车 动车
issue bug incident defect 问题 故障 缺陷 事故
ticket 工单
order 订单
package parcel shipment shipping delivery courier 包裹 快递 物流 配送 货物 运单 发货
invoice 发票
bill 账单
leave vacation time_off day_off pto absence 请假 休假 假期 年假
exchange_rate exchange currency forex 汇率 兑换 货币 外汇 换成
stock share ticker 股票 股价
inventory stock in_stock 库存 存货 现货 有货 缺货
price cost quote 价格 报价 多少钱 价钱
note memo jot write_down 笔记 备忘 记下 记一下
task todo to-do 任务 待办
project 项目
customer client 客户 顾客
employee staff colleague 员工 职员 同事
user account 用户 账号 账户 帐号
password 密码 口令
contact address_book 联系人 通讯录
document file doc 文档 文件 资料
report 报告 报表
sales revenue turnover 销售 营收 收入 业绩 销售额
product item merchandise 产品 商品 货品
cart basket 购物车
news headline 新闻 资讯 头条
music song track 音乐 歌曲 歌
light lamp bulb 灯 灯光
thermostat air_conditioner heating 空调 恒温 暖气
alarm wake 闹钟 叫醒
timer countdown 倒计时 计时器 计时
route direction navigate 路线 导航 怎么走
time clock 时间 几点
timezone time_zone 时区
balance 余额
discount coupon promo voucher 折扣 优惠券 优惠
review rating rate 评价 评分 点评
status progress state going_on stands 状态 进度 进展
recipe cook dish 菜谱 食谱 做菜
doctor clinic medical 医生 挂号 看病 门诊 医院
taxi ride cab 打车 出租车 叫车 网约车
server host machine 服务器 主机
backup 备份
interview 面试
candidate applicant 候选人 应聘者
contract agreement 合同 协议
training course class 培训 课程
salary payroll payslip wage 工资 薪资 薪水
attendance clock_in check_in 考勤 打卡 签到
warehouse 仓库
supplier vendor 供应商
lead opportunity deal 线索 商机
campaign marketing 营销 推广
visitor guest 访客 来访
asset equipment device 资产 设备
feedback survey 反馈 调查 问卷
distance far 距离 多远
budget 预算
permission access role 权限 访问
department team 部门 团队
address 地址 住址
history past previous 历史 过去 以往
average mean 平均
weight weigh 体重 重量 称重
sensor measure 传感器 测量
movie film cinema 电影 影片 影院
parking 停车 车位
car vehicle 车辆 汽车 车
receipt 收据 小票
tax 税 税费 税率
loan mortgage 贷款 房贷
loyalty point reward 积分 会员
holiday festival 节假日 节日
sign signature 签署 签字 签名
location place city 地点 位置 城市
contact_person 对接人
`;
