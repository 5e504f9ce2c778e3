/** Words for the values that enumerations hold in most schemas, in the form of `THINGS`. */
export const VALUES = `
high 高 较高
low 低 较低
medium normal moderate 中 中等 普通 一般
urgent critical emergency asap 紧急 加急 特急 严重
daily every_day each_day day 每天 每日 按天 日报 天
weekly every_week each_week week 每周 按周 周报 周
monthly every_month each_month month 每月 按月 月报 月
quarterly every_quarter quarter 每季度 按季度 季度 季报
yearly annual annually every_year year 每年 按年 年度 年报
open unresolved 未解决 打开的 未关闭
closed 已关闭 关闭的
pending waiting awaiting 待处理 待审批 待定 等待中 待审核
approved 已批准 已通过
rejected 已拒绝 已驳回
shipped 已发货
delivered 已送达 已签收
paid 已支付 已付款 已付
unpaid outstanding 未付 未支付 未付款 待付款
overdue 逾期 过期
cancelled canceled 已取消
done completed complete finished 已完成 完成 做完
in_progress ongoing doing 进行中 处理中 正在
active 活跃 有效 在用
inactive 停用 无效
economy coach 经济舱
business_class business 商务舱 公务舱
first_class 头等舱 一等座
second_class 二等座
celsius centigrade 摄氏 摄氏度
fahrenheit 华氏 华氏度
metric 公制
imperial 英制
sick illness 病假 生病
annual_leave annual vacation 年假
personal 事假 私事 个人
maternity 产假
paternity 陪产假
small 小号 小杯
large big 大号 大杯
ascending 升序 从低到高
descending 降序 从高到低
male man 男 男性
female woman 女 女性
morning 上午 早上
afternoon 下午
evening night 晚上 夜间
home house 家
office work 办公室 公司
excel xlsx spreadsheet 表格
word docx
credit_card 信用卡
cash 现金
alipay 支付宝
wechat wechat_pay 微信
bank_transfer wire 银行转账 电汇
express fast 加急 快速 特快
standard regular 标准 普通
single 单人 单人间 单人房 单程
one_way one-way single_trip 单程
round_trip return_trip round-trip roundtrip 往返 来回
double 双人 双人间 双人房 大床房
suite 套房
window 靠窗
aisle 靠过道 过道
vegetarian vegan 素食 素
red 红色 红
green 绿色 绿
blue 蓝色 蓝
white 白色 白
black 黑色 黑
yellow 黄色 黄
english en 英语 英文
chinese zh mandarin 中文 汉语 汉文 普通话
french fr 法语 法文
german de 德语 德文
spanish es 西班牙语 西班牙文 西语
japanese ja 日语 日文
korean ko 韩语 韩文
russian ru 俄语 俄文
italian it 意大利语
portuguese pt 葡萄牙语 葡语
arabic ar 阿拉伯语
usd dollar us_dollar buck 美元 美金 美刀
cny rmb yuan renminbi 人民币 元 块
eur euro 欧元
gbp pound sterling british_pound 英镑
jpy yen japanese_yen 日元 日币
hkd hong_kong_dollar 港币 港元
krw won 韩元
aud australian_dollar 澳元
cad canadian_dollar 加元
chf swiss_franc 瑞士法郎
sgd singapore_dollar 新加坡元 新币
inr rupee 卢比
kilometer kilometre km 公里 千米
mile 英里
meter metre 米
foot feet ft 英尺
inch 英寸
centimeter centimetre cm 厘米
kilogram kg kilo 公斤 千克
gram g 克
pound lb 磅
ounce oz 盎司
liter litre 升
gallon 加仑
driving drive 开车 驾车 自驾
walking walk on_foot 步行 走路
transit public_transport bus subway 公交 地铁 公共交通
cycling bicycle bike 骑车 骑行 自行车
monday 周一 星期一
tuesday 周二 星期二
wednesday 周三 星期三
thursday 周四 星期四
friday 周五 星期五
saturday 周六 星期六
sunday 周日 星期日 星期天
video online virtual remote 视频 线上 远程
in_person offline onsite on-site 线下 现场 面对面
domestic 国内
international overseas 国际 海外
public 公开
private 私有 私密
internal 内部
external 外部
finance accounting 财务
engineering 工程 研发 技术
human_resources hr personnel 人事 人力资源 人力
legal law 法务 法律
software application app 软件
hardware 硬件
network wifi vpn internet 网络
technology tech 科技
sports sport 体育
health healthcare 健康 医疗
travel trip 差旅 旅行 出差 旅游
meal food lunch dinner breakfast 餐饮 餐费 吃饭 伙食 午饭 午餐 晚饭 晚餐 早餐 早饭
transport transportation commute taxi 交通 交通费 打车
office_supplies stationery supplies 办公用品 文具
lodging hotel accommodation 住宿
`;
