# A year with Entra ID, with Okta and with Keycloak: what each of them sends
# from the first test of the connection to the last goodbye, in their shapes
# and order, and what that means for the person.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Scim;
use ProxyUser::Store;
use Test::More;

use JSON::PP ();

my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my $redis = redis_start();
my $nginx = scim_nginx(roles => 'proxy_user_scim_role "Book Keepers" keeper;');

sub ask_for {
    my ($path, $filter, $more) = @_;
    my $r = scim('GET', "$path?filter=" . uri_escape($filter) . ($more // ''));
    is($r->{status}, 200, "$filter is answered");
    return $r->{json};
}

# Is the person let in? A token of the same subject, bound to the user here.
sub bind_token {
    my ($id, $sub) = @_;
    my $handle = 'sub:' . handle_digest($sub);

    redis('HSET', "{pu}:handle:$handle", user => $id, state => 'active');
    return as($sub);
}


subtest 'Entra ID' => sub {
    is(ask_for('/Users', 'userName eq "5b1f9a9e-no-such-user"')
       ->{totalResults}, 0, 'test of the connection');

    is(ask_for('/Users', 'userName eq "kim@contoso.example"')
       ->{totalResults}, 0, 'not there yet');

    my $r = scim('POST', '/Users', {
        schemas => [$CORE_USER, $ENTERPRISE], active => $true,
        externalId => 'f3a1-object-id', userName => 'kim@contoso.example',
        displayName => 'Kim Akers', title => '', preferredLanguage => undef,
        meta => { resourceType => 'User' },
        name => { formatted => 'Kim Akers', familyName => 'Akers',
                  givenName => 'Kim' },
        emails => [{ primary => $true, type => 'work',
                     value => 'kim@contoso.example' }],
        roles => [{ primary => 'True', value => '{"id":"1","value":"W"}' }],
        $ENTERPRISE => { department => 'Books', manager => 'f00' } });
    is($r->{status}, 201, 'provisioned');
    my $id = $r->{json}{id};
    is($r->{json}{roles}[0]{value}, '{"id":"1","value":"W"}',
       'a document in a string stays one');
    is($r->{json}{$ENTERPRISE}{manager}{value}, 'f00', 'a manager');
    my $token = bind_token($id, 'entra-kim');
    is(verdict($nginx, $token), '200 ok', 'let in');

    is(ask_for('/Users', 'externalId eq "f3a1-object-id"')
       ->{Resources}[0]{id}, $id, 'found again');

    $r = scim('PATCH', "/Users/$id", { schemas => [$PATCH_OP], Operations => [
        { op => 'Replace', path => 'displayName', value => 'Kim A.' },
        { op => 'Replace', path => 'emails[type eq "work"].value',
          value => 'k@contoso.example' },
        { op => 'Replace', path => 'name.familyName', value => 'Able' },
        { op => 'Add', path => "$ENTERPRISE:manager", value => 'f01' },
        { op => 'Add', path => 'addresses[type eq "work"].country',
          value => 'NZ' },
        { op => 'Remove', path => 'title' } ] });
    is($r->{status}, 200, 'changed');
    is($r->{json}{emails}[0]{value}, 'k@contoso.example', 'mail');
    is($r->{json}{addresses}[0]{country}, 'NZ', 'an address that was not');

    my $group = scim('POST', '/Groups', {
        schemas => [$CORE_GROUP,
          'http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/'
          . '2.0/Group'],
        displayName => 'Book Keepers', externalId => 'g-object-id',
        meta => { resourceType => 'Group' } })->{json}{id};
    is(ask_for('/Groups', 'displayName eq "Book Keepers"',
               '&excludedAttributes=members')->{Resources}[0]{id}, $group,
       'the group is found');

    is(patch("/Groups/$group", [Add => 'members',
             [{ '$ref' => undef, value => $id }]])->{status}, 204, 'joins')
        for 1, 2;
    is(roles_of($id), 'keeper', 'with the role');
    my $other = make_user('lee@contoso.example');
    patch("/Groups/$group", [Add => 'members', [{ value => $other }]]);
    is(patch("/Groups/$group", [Remove => 'members',
             [{ '$ref' => undef, value => $other }]])->{status}, 204,
       'another leaves');
    is(roles_of($id) . '|' . roles_of($other), 'keeper|', 'and only he');

    is(patch("/Users/$id", [Replace => 'active', 'False'])->{status}, 200,
       'disabled');
    ok(defined within(3, sub { verdict($nginx, $token)
                               eq '403 user_suspended' }), 'refused');
    is_deeply(scim('GET', "/Users/$id")->{json}{active}, $false,
              'and still to be read');
    is(patch("/Users/$id", [Replace => 'active', 'True'])->{status}, 200,
       'enabled');
    ok(defined within(3, sub { verdict($nginx, $token) eq '200 ok' }),
       'let in again');

    is(scim('DELETE', "/Users/$id")->{status}, 204, 'deleted');
    ok(defined within(3, sub { verdict($nginx, $token)
                               eq '403 user_deleted' }), 'refused for good');
    is(scim('DELETE', "/Users/$id")->{status}, 404, 'once');
    is(scim('DELETE', "/Groups/$group")->{status}, 204, 'the group too');
};


subtest 'Okta' => sub {
    my @okta = ('User-Agent' => 'Okta SCIM Client 1.0.0',
                Accept => 'application/scim+json',
                'Content-Type' => 'application/scim+json; charset=utf-8');
    my $page = scim('GET', '/Users?filter=userName%20eq%20%22joy%40o.example'
                    . '%22&startIndex=1&count=100', undef, @okta)->{json};
    is_deeply([@$page{qw(totalResults itemsPerPage startIndex)}], [0, 0, 1],
              'nobody yet');

    my %joy = (schemas => [$CORE_USER], userName => 'joy@o.example',
               name => { givenName => 'Joy', familyName => 'Oh' },
               emails => [{ primary => $true, value => 'joy@o.example',
                            type => 'work' }],
               displayName => 'Joy Oh', locale => 'en-US', groups => []);
    my $r = scim('POST', '/Users', { %joy, externalId => '00u1',
        password => 'not-for-us', active => $true }, @okta);
    is($r->{status}, 201, 'assigned');
    my $id = $r->{json}{id};
    unlike($r->{raw}, qr/not-for-us/, 'without the password');
    my $token = bind_token($id, 'okta-joy');

    $r = scim('POST', '/Users', { %joy }, @okta);
    is("$r->{status} $r->{type}", '409 uniqueness', 'twice');

    # an app of the catalog
    is(patch("/Users/$id", [replace => undef, { active => $false }])
       ->{status}, 200, 'deactivated by PATCH');
    is(verdict($nginx, $token), '403 user_suspended', 'refused');
    is(patch("/Users/$id", [replace => undef, { active => $true }])
       ->{status}, 200, 'activated');
    is(patch("/Users/$id", [replace => undef, { password => 'again' }])
       ->{status}, 200, 'a password is thrown away');

    # an app of one's own
    my %whole = (%joy, id => $id, meta => { resourceType => 'User' },
                 name => { givenName => 'Joy', middleName => '',
                           familyName => 'Oh' });
    is(scim('PUT', "/Users/$id", { %whole, active => $true }, @okta)
       ->{status}, 200, 'updated by PUT');
    ok(defined within(3, sub { verdict($nginx, $token) eq '200 ok' }),
       'let in');
    is(scim('PUT', "/Users/$id", { %whole, active => $false }, @okta)
       ->{status}, 200, 'deactivated by PUT');
    ok(defined within(3, sub { verdict($nginx, $token)
                               eq '403 user_suspended' }), 'refused');

    my $group = make_group('Book Keepers');
    is(patch("/Groups/$group", [remove => 'members[value eq "89bb1940-b9"]'],
             [add => 'members', [{ value => $id, display => 'joy' }]])
       ->{status}, 204, 'one who never was goes, one comes');
    is(roles_of($id), 'keeper', 'with the role');
    is(patch("/Groups/$group", [replace => undef, { id => $group,
             displayName => 'Former Keepers' }])->{status}, 204, 'renamed');
    is(roles_of($id), '', 'to what gives nothing');
    is(scim('PUT', "/Groups/$group", { displayName => 'Book Keepers',
            members => [{ value => $id, display => 'joy' }] }, @okta)
       ->{status}, 200, 'pushed whole');
    is(roles_of($id), 'keeper', 'with the role again');
};


subtest 'Keycloak and others' => sub {
    my $id = make_user('alice', externalId => 'kc-1', roles => [],
                       emails => [{ value => 'alice@k.example' }]);

    is(scim('PATCH', "/Users/$id", { schemas => [$PATCH_OP], Operations => [
        { path => 'active', op => 'replace', value => 'false' },
        { path => 'userName', op => 'replace', value => 'alice' },
        { path => 'displayName', op => 'replace', value => 'Alice' } ] })
       ->{status}, 200, 'text for a boolean');
    is(field($id, 'state'), 'suspended', 'is understood');

    is(scim('PUT', "/Users/$id", { schemas => [$CORE_USER], id => $id,
        externalId => 'kc-1', userName => 'alice', active => $true,
        meta => { location => "Users/$id" } }, 'If-Match' => 'W/"2"')
       ->{status}, 200, 'PUT of the version that was read');
    is(field($id, 'state'), 'active', 'is back');
    is(scim('PUT', "/Users/$id", { userName => 'alice', active => $false },
            'If-Match' => 'W/"2"')->{status}, 412, 'of an old one');
    is(field($id, 'state'), 'active', 'changes nothing');

    my $group = make_group('Book Keepers', $id);
    is(patch("/Groups/$group", [remove => 'members', undef],
             [replace => 'displayName', 'eng'],
             [replace => 'externalId', 'kc-g'])->{status}, 204,
       'all members, by null');
    is(roles_of($id), '', 'have gone');

    is(scim('PUT', "/Users/$id", { userName => 'alice', active => $true })
       ->{status}, 200, 'without its externalId');
    is(ask_for('/Users', 'externalId eq "kc-1"')->{totalResults}, 0,
       'it has none any more');
};


ok(!$nginx->trouble, 'no trouble');
done_testing();
